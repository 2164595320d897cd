package failpoint

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/draas-io/draas/internal/platform/process"
)

// TestEveryPointIsDocumented holds docs/effect-points.md against the names in the code, both ways.
func TestEveryPointIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/effect-points.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]map[string]bool{}
	section := ""
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(title)
			listed[section] = map[string]bool{}
		}
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(cell, "`")
			listed[section][name] = true
		}
	}
	named := map[string][]string{"Effects of the Process platform": nil, "Writes of an agent": nil, "Writes of the controller": nil}
	for _, point := range process.Points() {
		named["Effects of the Process platform"] = append(named["Effects of the Process platform"], string(point))
	}
	for _, write := range OfAgent() {
		named["Writes of an agent"] = append(named["Writes of an agent"], string(write))
	}
	for _, write := range OfController() {
		named["Writes of the controller"] = append(named["Writes of the controller"], string(write))
	}
	for section, names := range named {
		for _, name := range names {
			if !listed[section][name] {
				t.Errorf("section %q of docs/effect-points.md does not list %s", section, name)
			}
			delete(listed[section], name)
		}
		for name := range listed[section] {
			t.Errorf("section %q of docs/effect-points.md lists %s, which is not in the code", section, name)
		}
	}
}

func TestReleasesHaveNoFailpoints(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/draas-io/draas/cmd/manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "github.com/draas-io/draas/internal/failpoint") {
		t.Error("cmd/manager contains package failpoint without the tag")
	}
}
