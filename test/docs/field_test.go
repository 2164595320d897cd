package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/draas-io/draas/api/v1alpha1"
)

func TestEveryFieldIsOnItsKindsPage(t *testing.T) {
	for name, types := range map[string][]any{
		"drasiinstance.md": {v1alpha1.DrasiInstanceSpec{}, v1alpha1.ServerConfig{}, v1alpha1.QueryConfig{}, v1alpha1.DrasiInstanceStatus{}, v1alpha1.Termination{}, v1alpha1.ComponentStatus{}},
		"drasihost.md":     {v1alpha1.DrasiHostSpec{}, v1alpha1.DrasiHostStatus{}, v1alpha1.HostPlatform{}},
	} {
		p := parsePage(name, read(t, "docs", "kinds", name))
		words := map[string]bool{}
		for _, span := range p.spans() {
			for _, word := range strings.FieldsFunc(span, func(r rune) bool { return !isNameRune(r) }) {
				words[word] = true
			}
		}
		for _, example := range types {
			for field := range reflect.TypeOf(example).Fields() {
				json, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if json != "" && json != "-" && !words[json] {
					t.Errorf("docs/kinds/%s says nothing of %s of %s", name, json, reflect.TypeOf(example).Name())
				}
			}
		}
	}
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// condition is a condition with its status and reason as pages write them.
var condition = regexp.MustCompile("`([A-Z][A-Za-z]+)=(True|False|Unknown)/([A-Za-z]+)`")

func TestConditionsOnPagesExist(t *testing.T) {
	known := map[string]bool{}
	for _, reason := range reasons(t) {
		known[reason] = true
	}
	found := 0
	for _, p := range pages(t) {
		for _, match := range condition.FindAllStringSubmatch(p.prose, -1) {
			found++
			if !known[match[3]] {
				t.Errorf("%s: %s: there is no such reason", p.name, match[0])
			}
		}
	}
	if found == 0 {
		t.Error("no page names a condition")
	}
}

// flagRow is a row of a table of flags.
var flagRow = regexp.MustCompile("(?m)^\\| `--([a-z-]+)[`= ]")

func TestFlagsOfTheAgentAreOnThePageOfHosts(t *testing.T) {
	written := map[string]bool{}
	for _, match := range flagRow.FindAllStringSubmatch(read(t, "docs", "hosts.md"), -1) {
		written[match[1]] = true
	}
	defined := flags(t, "agent.go", "root.go")
	for name := range defined {
		if !written[name] {
			t.Errorf("docs/hosts.md says nothing of --%s", name)
		}
	}
	for name := range written {
		if !defined[name] {
			t.Errorf("docs/hosts.md: the agent has no flag --%s", name)
		}
	}
}

// flags are the flags that files of cmd/manager define.
func flags(t *testing.T, files ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), "cmd", "manager", name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, isCall := node.(*ast.CallExpr)
			if !isCall || len(call.Args) < 3 {
				return true
			}
			function, isMethod := call.Fun.(*ast.SelectorExpr)
			literal, isText := call.Args[1].(*ast.BasicLit)
			if isMethod && isText && strings.HasSuffix(function.Sel.Name, "Var") {
				flag, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[flag] = true
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatal("no flags found: have the files changed their form?")
	}
	return found
}
