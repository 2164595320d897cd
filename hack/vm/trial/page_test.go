package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..", "..")

func TestThePageHasWhatIsTried(t *testing.T) {
	blocks, err := readBlocks(filepath.Join(root, hostsPage))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"host", "server"} {
		if _, err := assign(blocks["access"], name, "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestAMissingBlockIsNamed(t *testing.T) {
	page := filepath.Join(t.TempDir(), "hosts.md")
	if err := os.WriteFile(page, []byte("<!-- tried: access -->\n```sh\ntrue\n```\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readBlocks(page); err == nil || !strings.Contains(err.Error(), "tried: install") {
		t.Errorf("got %v", err)
	}
}

func TestAnExampleIsReplacedAndTheRestIsKept(t *testing.T) {
	got, err := assign("host=a\nserver=https://b:6443   # why\nuse $server\n", "server", "it's")
	if err != nil || got != "host=a\nserver='it'\\''s'   # why\nuse $server\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := assign("x=1\n", "host", "y"); err == nil {
		t.Error("a variable that the page does not set was taken")
	}
}
