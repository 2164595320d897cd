package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/draas-io/draas/hack/vm/machine"
)

const (
	testBinary = "vm.test"
	builtFile  = "vm.built"
	module     = "github.com/draas-io/draas/"
	// simulator is built by tests of several packages.
	simulator = "test/drasisim"
	// standIn takes the place of the toolchain in the machine: `go build -o OUT PACKAGE` hands out what was built before.
	standIn = `#!/bin/sh
said=$* out= package=
while [ $# -gt 0 ]; do
	case $1 in
	-o) out=$2 && shift ;;
	*) package=$1 ;;
	esac
	shift
done
case $package in ` + module + `*) package=/vm/src/${package#` + module + `} ;; esac
if [ -z "$out" ] || [ ! -f "$package/` + builtFile + `" ]; then
	echo "go $said: there is no Go here, only what was built before" >&2
	exit 1
fi
exec cp "$package/` + builtFile + `" "$out"
`
)

// testCommand runs the tests of packages in one machine, one package after the other.
func testCommand(ctx context.Context, s settings, args []string) (int, error) {
	packages, flags := args, []string{"-test.v"}
	if i := slices.Index(args, "--"); i >= 0 {
		packages, flags = args[:i], args[i+1:]
	}
	if len(packages) == 0 {
		return 0, fmt.Errorf("%w: no package to test", errUsage)
	}
	image, err := machine.FindImage(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "draas-vm-test-")
	if err != nil {
		return 0, fmt.Errorf("make a directory for the tests: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	script, err := stageTests(ctx, dir, packages, flags)
	if err != nil {
		return 0, err
	}
	return s.inMachine(ctx, image, []machine.File{{From: dir, To: "src"}}, script)
}

// stageTests compiles the tests into a tree like the repository's, with testdata, and returns the script that runs them.
func stageTests(ctx context.Context, dir string, packages, flags []string) (string, error) {
	if err := stageTools(dir); err != nil {
		return "", err
	}
	if err := goCommand(ctx, "build", "-o", filepath.Join(dir, simulator, builtFile), "./"+simulator); err != nil {
		return "", err
	}
	script := strings.Builder{}
	script.WriteString("export PATH=/vm/src/.tools:$PATH HOME=/root\nfailed=0\n")
	for _, name := range packages {
		name = path.Clean(strings.TrimPrefix(name, "./"))
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := goCommand(ctx, "test", "-c", "-o", filepath.Join(to, testBinary), "./"+name); err != nil {
			return "", err
		}
		if err := stageData(ctx, name, to); err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(&script, "echo %s\ncd %s && ./%s %s || failed=1\n", quote([]string{"==> " + name}), quote([]string{"/vm/src/" + name}), testBinary, quote(flags))
	}
	script.WriteString("exit $failed\n")
	return script.String(), nil
}

// stageTools adds what a test finds in a repository: go.mod, by which it knows the root, and a command go.
func stageTools(dir string) error {
	tools := filepath.Join(dir, ".tools")
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return fmt.Errorf("run this at the root of the repository: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o600),
		os.Mkdir(tools, 0o755),
		os.WriteFile(filepath.Join(tools, "go"), []byte(standIn), 0o755))
}

// stageData copies a package's testdata and builds the programs in it.
func stageData(ctx context.Context, name, to string) error {
	data := filepath.Join(filepath.FromSlash(name), "testdata")
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.CopyFS(filepath.Join(to, "testdata"), os.DirFS(data)); err != nil {
		return fmt.Errorf("copy %s: %w", data, err)
	}
	sources, err := filepath.Glob(filepath.Join(data, "*", "*.go"))
	if err != nil {
		return fmt.Errorf("look for programs in %s: %w", data, err)
	}
	var programs []string
	for _, source := range sources {
		if dir := filepath.Dir(source); !slices.Contains(programs, dir) {
			programs = append(programs, dir)
		}
	}
	for _, dir := range programs {
		out := filepath.Join(to, "testdata", filepath.Base(dir), builtFile)
		if err := goCommand(ctx, "build", "-o", out, "./"+filepath.ToSlash(dir)); err != nil {
			return err
		}
	}
	return nil
}

// goCommand runs the toolchain for the guest, which has no C library of ours.
func goCommand(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
