//go:build linux

package cgroup

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What a failed try says goes into an object of the API, which is written anew when the text is another one.
func TestTwoTriesThatFailSayTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		parent string
		want   error
		text   string
	}{
		// Nothing can be made below /proc, and outside a hierarchy there is no file to join by.
		"no group can be made":   {"/proc/self", os.ErrNotExist, "/proc/self/.probe-*: no such file"},
		"no group can be joined": {t.TempDir(), nil, "/.probe-*/tasks: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			try := func() error {
				h := &hierarchy{controllers: []string{"freezer"}, mount: c.parent, root: "/", parent: c.parent}
				lost, err := (&Tree{all: []*hierarchy{h}}).prove(soon(t))
				if err == nil {
					t.Fatalf("it is possible, with %v lost", lost)
				}
				return err
			}
			first, second := try(), try()
			if first.Error() != second.Error() || !strings.Contains(first.Error(), c.text) {
				t.Errorf("%q and then %q", first, second)
			}
			if c.want != nil && !errors.Is(first, c.want) {
				t.Errorf("%v is not %v any more", first, c.want)
			}
		})
	}
}

func TestWhatALostHierarchySaysIsTheSameAtEachTry(t *testing.T) {
	in := tree(t)
	try := func() string {
		lacking := &hierarchy{controllers: []string{"freezer"}, mount: "/proc/self", root: "/", parent: "/proc/self"}
		lost, err := (&Tree{all: append([]*hierarchy{lacking}, in.all...)}).prove(soon(t))
		if err != nil || len(lost) == 0 {
			t.Fatalf("lost are %q, %v", lost, err)
		}
		return strings.Join(lost, "\n")
	}
	if first, second := try(), try(); first != second || !strings.Contains(first, ".probe-*") {
		t.Errorf("%q and then %q", first, second)
	}
}

func TestALeftoverOfATryIsNamedAsAnyOther(t *testing.T) {
	err := steady(&os.PathError{Op: "rmdir", Path: "/x/.probe-7-ABC", Err: syscall.EBUSY}, ".probe-7-ABC")
	if err.Error() != "rmdir /x/.probe-*: device or resource busy" || !errors.Is(err, syscall.EBUSY) {
		t.Errorf("error is %v", err)
	}
	if err := steady(nil, "x"); err != nil {
		t.Errorf("nothing became %v", err)
	}
}
