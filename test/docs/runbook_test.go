package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// reasons are the reasons of api/v1alpha1/conditions.go by the names of their constants.
func reasons(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), "api", "v1alpha1", "conditions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, isValue := node.(*ast.ValueSpec)
		if !isValue {
			return true
		}
		for i, name := range spec.Names {
			literal, isLiteral := spec.Values[i].(*ast.BasicLit)
			if !strings.HasPrefix(name.Name, "Reason") || !isLiteral {
				continue
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[name.Name] = value
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("only %d reasons found: has the file changed its form?", len(found))
	}
	return found
}

var entryHeading = regexp.MustCompile(`(?m)^### ([A-Za-z]+)$`)

// entries are the runbook's entries by reason.
func entries(t *testing.T) map[string]string {
	t.Helper()
	text := read(t, "docs", "runbook.md")
	found := map[string]string{}
	places := entryHeading.FindAllStringSubmatchIndex(text, -1)
	for i, place := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		name := text[place[2]:place[3]]
		if _, twice := found[name]; twice {
			t.Errorf("docs/runbook.md has two entries %s", name)
		}
		found[name] = text[place[1]:end]
	}
	return found
}

func TestEveryReasonHasARunbookEntryAndViceVersa(t *testing.T) {
	known := map[string]bool{}
	written := entries(t)
	for _, reason := range reasons(t) {
		known[reason] = true
		if len(strings.TrimSpace(written[reason])) < 40 {
			t.Errorf("docs/runbook.md: no entry ### %s", reason)
		}
	}
	for reason := range written {
		if !known[reason] {
			t.Errorf("docs/runbook.md: ### %s is no reason of api/v1alpha1/conditions.go", reason)
		}
	}
}

// notSet marks entries of reasons that no code sets.
const notSet = "**Not set yet.**"

func TestRunbookSaysWhichReasonsNoCodeSets(t *testing.T) {
	used := identifiers(t, "internal")
	written := entries(t)
	for constant, reason := range reasons(t) {
		if marked := strings.Contains(written[reason], notSet); marked == used[constant] {
			t.Errorf("docs/runbook.md: %s is marked %q: %v, and code refers to v1alpha1.%s: %v", reason, notSet, marked, constant, used[constant])
		}
	}
}

// identifiers are all identifiers that the Go code of a folder has, tests apart.
func identifiers(t *testing.T, folder string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root(t), folder), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if name, isName := node.(*ast.Ident); isName {
				found[name.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
