//go:build linux

package launcher

import (
	"syscall"
	"testing"
)

// kernel is one that permits less than this one may, with the limit of a process of its own.
type kernel struct {
	now syscall.Rlimit
	// most is the highest hard limit that it takes, whatever the process has.
	most uint64
	// raises says that the process may have a higher hard limit than it has.
	raises bool
}

func (k *kernel) get(_ int, limit *syscall.Rlimit) error {
	*limit = k.now
	return nil
}

func (k *kernel) set(_ int, limit *syscall.Rlimit) error {
	switch {
	case limit.Cur > limit.Max:
		return syscall.EINVAL
	case limit.Max > k.most || limit.Max > k.now.Max && !k.raises:
		return syscall.EPERM
	}
	k.now = *limit
	return nil
}

func TestALimitIsSetAsFarAsIsPermitted(t *testing.T) {
	for name, c := range map[string]struct {
		limit  Limit
		kernel kernel
		want   syscall.Rlimit
		fails  bool
	}{
		"all of it":                        {Limit{Soft: 100}, kernel{syscall.Rlimit{Cur: 10, Max: 1000}, 2000, false}, syscall.Rlimit{Cur: 100, Max: 1000}, false},
		"more than there was":              {Limit{Soft: 100}, kernel{syscall.Rlimit{Cur: 10, Max: 50}, 2000, true}, syscall.Rlimit{Cur: 100, Max: 100}, false},
		"no more than there was":           {Limit{Soft: 100}, kernel{syscall.Rlimit{Cur: 10, Max: 50}, 2000, false}, syscall.Rlimit{Cur: 50, Max: 50}, false},
		"capped":                           {Limit{Soft: 0, Cap: true}, kernel{syscall.Rlimit{Cur: 10, Max: 50}, 2000, false}, syscall.Rlimit{}, false},
		"required and not permitted":       {Limit{Soft: 100, Required: true}, kernel{syscall.Rlimit{Cur: 10, Max: 50}, 2000, false}, syscall.Rlimit{Cur: 10, Max: 50}, true},
		"below a hard limit of before":     {Limit{Soft: 100}, kernel{syscall.Rlimit{Cur: 10, Max: 3000}, 2000, true}, syscall.Rlimit{Cur: 100, Max: 100}, false},
		"more than the kernel takes now":   {Limit{Soft: 2500}, kernel{syscall.Rlimit{Cur: 10, Max: 3000}, 2000, true}, syscall.Rlimit{Cur: 10, Max: 3000}, false},
		"required, hard limit of before":   {Limit{Soft: 100, Required: true}, kernel{syscall.Rlimit{Cur: 10, Max: 3000}, 2000, true}, syscall.Rlimit{Cur: 10, Max: 3000}, true},
		"capped below a limit of before":   {Limit{Soft: 100, Cap: true}, kernel{syscall.Rlimit{Cur: 10, Max: 3000}, 2000, false}, syscall.Rlimit{Cur: 100, Max: 100}, false},
		"as much as there is, and no less": {Limit{Soft: 100}, kernel{syscall.Rlimit{Cur: 10, Max: 100}, 2000, false}, syscall.Rlimit{Cur: 100, Max: 100}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.limit.set(c.kernel.get, c.kernel.set)
			if (err != nil) != c.fails || c.kernel.now != c.want {
				t.Errorf("it has %+v, want %+v; error %v", c.kernel.now, c.want, err)
			}
		})
	}
}
