package contract

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// names are what a recording wrote instead of values of one run.
type names struct {
	dir, plugins, bin string
	ports             map[string]int
}

var (
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// parserText is what only has to be there, not to agree.
	parserText = regexp.MustCompile(`(?s)YAML error: .+, JSON error: .+`)
	// noSources comes with or without its beginning (contract 1.4).
	noSources = regexp.MustCompile(`^Start failed: (Failed to build subscription settings)`)
	indexPath = regexp.MustCompile(`^(data/[^/]+/index/[^/]+/)`)
)

// fill puts this run's values in.
func (n names) fill(text string) string {
	for name, port := range n.ports {
		text = strings.ReplaceAll(text, "@"+name+"@", strconv.Itoa(port))
	}
	text = strings.ReplaceAll(text, "@PLUGINS@", n.plugins)
	text = strings.ReplaceAll(text, "@BINDIR@", n.bin)
	return strings.ReplaceAll(text, "@DIR@", n.dir)
}

// fillJSON does the same in JSON text, where a port that stands alone is a
// number.
func (n names) fillJSON(text string) string {
	for name, port := range n.ports {
		text = strings.ReplaceAll(text, `"@`+name+`@"`, strconv.Itoa(port))
	}
	return n.fill(text)
}

// hide takes this run's values out.
func (n names) hide(text string) string {
	text = strings.ReplaceAll(text, n.plugins, "@PLUGINS@")
	text = strings.ReplaceAll(text, n.dir, "@DIR@")
	// Times and ids first: they may hold the digits of a port.
	text = timePattern.ReplaceAllString(text, "@TIME@")
	text = uuidPattern.ReplaceAllString(text, "@UUID@")
	for name, port := range n.ports {
		text = strings.ReplaceAll(text, strconv.Itoa(port), "@"+name+"@")
	}
	text = noSources.ReplaceAllString(text, "$1")
	return parserText.ReplaceAllString(text, "YAML error: …, JSON error: …\n")
}

// hideIn does the same in every part of a decoded value.
func (n names) hideIn(value any) any {
	switch value := value.(type) {
	case string:
		return n.hide(value)
	case float64:
		for name, port := range n.ports {
			if value == float64(port) {
				return "@" + name + "@"
			}
		}
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = n.hideIn(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, item := range value {
			object[key] = n.hideIn(item)
		}
		return object
	}
	return value
}

// rowShape reduces a query's results to what does not depend on the mock
// source's values: whether there are rows, and their columns.
func rowShape(body any) any {
	object, ok := body.(map[string]any)
	rows, isList := object["data"].([]any)
	if !ok || !isList {
		return body
	}
	columns := map[string]bool{}
	for _, row := range rows {
		fields, _ := row.(map[string]any)
		for name := range fields {
			columns[name] = true
		}
	}
	return map[string]any{"success": object["success"], "error": object["error"], "columns": columns}
}

// leftFiles lists what lies in a working directory, indexes by directory.
func leftFiles(t *testing.T, dir string) []string {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(rel)
		if entry.IsDir() {
			slashed += "/"
		}
		if index := indexPath.FindString(slashed); index != "" {
			found[index] = true
		} else if !entry.IsDir() {
			found[slashed] = true
		}
		return nil
	})
	if err != nil {
		t.Fatalf("list files: %v", err)
	}
	return sorted(found)
}

func sorted(set map[string]bool) []string {
	list := []string{}
	for item := range set {
		list = append(list, item)
	}
	sort.Strings(list)
	return list
}
