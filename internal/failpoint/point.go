package failpoint

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Variable is the environment variable that names the directory by which a test arms a process and reads what it has passed.
const Variable = "DRAAS_FAILPOINTS"

// When is the side of a point.
type When string

// The two sides.
const (
	Before When = "before"
	After  When = "after"
)

// Crash is where a process is to die.
type Crash struct {
	When  When
	Point string
	// Nth counts from 1, from when the process first sees that it is armed.
	Nth int
	// Object limits a write to the object of that name; empty: any.
	Object string
}

// String returns the form that Parse reads.
func (c Crash) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %d %s", c.When, c.Point, c.Nth, c.Object))
}

// Parse reads a Crash in the form "before clone 1 [object]".
func Parse(text string) (Crash, error) {
	words := append(strings.Fields(text), "")
	if len(words) < 4 || words[0] != string(Before) && words[0] != string(After) {
		return Crash{}, fmt.Errorf("%q is no crash: want \"before|after POINT NTH [OBJECT]\"", text)
	}
	nth, err := strconv.Atoi(words[2])
	if err != nil || nth < 1 {
		return Crash{}, fmt.Errorf("%q is no crash: %q is not a number from 1 on", text, words[2])
	}
	return Crash{When: When(words[0]), Point: words[1], Nth: nth, Object: words[3]}, nil
}

// Armed is the file in which a test says where a part is to die, a line for each death. The part takes the first line out as it dies, so that it
// dies there once, and removes the file with the last.
func Armed(dir, part string) string { return filepath.Join(dir, part+".armed") }

// Passed is the file in which a part writes down every point that it passes, one line each: "before clone", "after place shop".
func Passed(dir, part string) string { return filepath.Join(dir, part+".passed") }

// Points are the points of one part of the product.
type Points struct {
	dir, part string
	die       func()

	mu    sync.Mutex
	armed string
	seen  int
}

// New returns the points of a part, which look into the directory at every pass.
func New(dir, part string) *Points {
	return &Points{dir: dir, part: part, die: func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}}
}

// Pass notes that a point is passed, and kills the process if that is where it is to die.
func (p *Points) Pass(when When, point, object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(strings.TrimSpace(fmt.Sprintf("%s %s %s", when, point, object)))
	text, err := os.ReadFile(Armed(p.dir, p.part))
	if err != nil {
		return // nobody has armed it
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	crash, err := Parse(first)
	if err != nil {
		p.note("error " + err.Error())
		return
	}
	if string(text) != p.armed {
		p.armed, p.seen = string(text), 0
	}
	if when != crash.When || point != crash.Point || crash.Object != "" && object != crash.Object {
		return
	}
	if p.seen++; p.seen < crash.Nth {
		return
	}
	if err := p.rearm(rest); err != nil {
		p.note("error " + err.Error())
		return
	}
	p.note("died " + crash.String())
	p.die()
}

// rearm leaves the deaths to come for the next process.
func (p *Points) rearm(rest string) error {
	file := Armed(p.dir, p.part)
	if rest == "" {
		return os.Remove(file)
	}
	if err := os.WriteFile(file+".rest", []byte(rest), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".rest", file)
}

// note writes a line down, at once: the next moment may be the last.
func (p *Points) note(line string) {
	file, err := os.OpenFile(Passed(p.dir, p.part), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return // a test that misses the line says so
	}
	_, _ = file.WriteString(line + "\n")
	_ = file.Close()
}

// Wrap passes the points of every write to the API server. After a write means that the server has answered, and that the answer is lost.
func (p *Points) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		write, object, err := Of(request)
		if err != nil {
			p.mu.Lock()
			p.note("error " + err.Error())
			p.mu.Unlock()
		}
		if write == "" {
			return next.RoundTrip(request)
		}
		p.Pass(Before, string(write), object)
		reply, err := next.RoundTrip(request)
		if err == nil {
			p.Pass(After, string(write), object)
		}
		return reply, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
