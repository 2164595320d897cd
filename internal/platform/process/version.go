//go:build linux

package process

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

// placeholder stands for a version in a path.
const placeholder = "{version}"

// versionPattern is what a version looks like, so that it is no path either, and no longer than the API takes.
const versionPattern = `[0-9A-Za-z][0-9A-Za-z.+-]{0,62}`

var versionForm = regexp.MustCompile(`^` + versionPattern + `$`)

// executables finds the executable of a version.
type executables struct {
	path  string
	clock Clock
	// others says that servers run as other users than the agent.
	others bool

	mu sync.Mutex
	// asked are the last questions by path, each for as long as the file is the same.
	asked map[string]*question
}

// fileID tells files apart, also of the same name.
type fileID struct {
	path     string
	dev, ino uint64
	size     int64
	mtime    int64
}

func identify(path string) (fileID, error) {
	var found unix.Stat_t
	if err := unix.Stat(path, &found); err != nil {
		return fileID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if found.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileID{}, fmt.Errorf("%s is not a file", path)
	}
	return fileID{path: path, dev: found.Dev, ino: found.Ino, size: found.Size, mtime: found.Mtim.Nano()}, nil
}

func newExecutables(path string, clock Clock, others bool) *executables {
	return &executables{path: path, clock: clock, others: others, asked: map[string]*question{}}
}

// versions lists the versions that are there, sorted, and says in words why there are none.
func (e *executables) versions(ctx context.Context) ([]string, error) {
	if e.path == "" {
		return nil, errors.New("no executable of drasi-server is given")
	}
	if !strings.Contains(e.path, placeholder) {
		if err := e.check(e.path); err != nil {
			return nil, err
		}
		version, err := e.ask(ctx, e.path)
		if err != nil {
			return nil, err
		}
		return []string{version}, nil
	}
	found, refused, err := e.glob()
	if err == nil && len(found) == 0 {
		err = errors.Join(fmt.Errorf("there is no executable at %s", e.path), refused)
	}
	return found, err
}

// glob finds the versions whose executables are there, and says what is wrong with the last one that cannot be used.
func (e *executables) glob() (found []string, refused, err error) {
	before, rest, _ := strings.Cut(e.path, placeholder)
	quote := regexp.MustCompile(`[][*?\\]`)
	pattern := quote.ReplaceAllString(before, `\$0`) + "*" + strings.ReplaceAll(quote.ReplaceAllString(rest, `\$0`), placeholder, "*")
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, nil, fmt.Errorf("look for %s: %w", e.path, err)
	}
	tail, _, _ := strings.Cut(rest, "/")
	tail, _, _ = strings.Cut(tail, placeholder)
	for _, path := range paths {
		segment, _, _ := strings.Cut(path[len(before):], "/")
		version := strings.TrimSuffix(segment, tail)
		if !versionForm.MatchString(version) || expand(e.path, version) != path {
			continue
		}
		if err := e.check(path); err != nil {
			refused = err
			continue
		}
		found = append(found, version)
	}
	slices.SortFunc(found, compareVersions)
	return slices.Compact(found), refused, nil
}

// find returns the path of the version's executable, which has told that it can be run here.
func (e *executables) find(ctx context.Context, version string) (string, error) {
	path, err := e.locate(ctx, version)
	if err != nil || !strings.Contains(e.path, placeholder) {
		return path, err
	}
	// What is in a directory of its own is called what the directory is. That it answers proves that it can be run here: a good server is
	// stopped for nothing else.
	if _, err := e.ask(ctx, path); err != nil {
		return "", refusal(err, "drasi-server %s cannot be run on this host: %v", version, err)
	}
	return path, nil
}

// locate returns the path of the version's executable. Where a path alone tells the version nobody is asked: what ran before is started again
// whatever keeps an answer away now.
func (e *executables) locate(ctx context.Context, version string) (string, error) {
	if e.path == "" {
		return "", unavailable("no executable of drasi-server is given")
	}
	path := expand(e.path, version)
	if err := e.check(path); err != nil {
		return "", unavailable("drasi-server %s is not on this host: %v", version, err)
	}
	if strings.Contains(e.path, placeholder) {
		return path, nil
	}
	has, err := e.ask(ctx, path)
	if err != nil {
		return "", err
	}
	if has != version {
		return "", unavailable("drasi-server %s is not on this host: %s is %s", version, path, has)
	}
	return path, nil
}

// check tells why a path cannot be executed by the agent, or by a server's user.
func (e *executables) check(path string) error {
	if err := executable(path); err != nil || !e.others {
		return err
	}
	return runnable(path)
}

// refusal is the error for a question without an answer: the version is not to be had, unless the host only could not ask at the moment.
func refusal(err error, format string, args ...any) error {
	if passing(err) {
		return err
	}
	return unavailable(format, args...)
}

func unavailable(format string, args ...any) error {
	return &platform.TerminalError{Code: platform.CodeVersionUnavailable, Message: fmt.Sprintf(format, args...)}
}

// expand puts the version into a path.
func expand(path, version string) string { return strings.ReplaceAll(path, placeholder, version) }

// executable tells why a path cannot be executed.
func executable(path string) error {
	found, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !found.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return fmt.Errorf("%s may not be executed: %w", path, err)
	}
	return nil
}

// compareVersions orders versions by their numbers.
func compareVersions(a, b string) int {
	for a != b {
		var left, right string
		left, a, _ = strings.Cut(a, ".")
		right, b, _ = strings.Cut(b, ".")
		m, failedA := strconv.Atoi(left)
		n, failedB := strconv.Atoi(right)
		switch {
		case failedA == nil && failedB == nil && m != n:
			return m - n
		case (failedA != nil || failedB != nil) && left != right:
			return strings.Compare(left, right)
		}
	}
	return 0
}

// triple tells what plugins must have been built for to fit the executable (contract 3.1), as far as its header shows.
func triple(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return runtime.GOARCH + "-unknown"
	}
	defer func() { _ = file.Close() }()
	machine := strings.ToLower(strings.TrimPrefix(file.Machine.String(), "EM_"))
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(name, 0); err != nil {
			break
		}
		if bytes.Contains(name, []byte("ld-musl")) {
			return machine + "-linux-musl"
		}
		return machine + "-linux-gnu"
	}
	return machine + "-linux-static"
}
