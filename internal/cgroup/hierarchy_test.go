//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
)

const (
	onlyV1 = `25 1 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/net_cls rw shared:12 - cgroup cgroup rw,net_cls
35 31 0:32 /docker/abc /somewhere/with\040blank rw shared:13 - cgroup cgroup rw,memory
36 31 0:32 / /sys/fs/cgroup/memory rw shared:13 - cgroup cgroup rw,memory
37 31 0:33 / /sys/fs/cgroup/pids rw shared:14 - cgroup cgroup rw,pids
`
	hybridMore = "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
	pureV2     = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	inside     = "31 23 0:28 /kubepods/pod1/c1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
)

func TestHierarchiesAreFound(t *testing.T) {
	cases := map[string]struct{ mountinfo, membership, want string }{
		"version 1": {
			onlyV1, "9:name=systemd:/system.slice/a.service\n8:pids:/\n4:memory:/m\n2:cpu,cpuacct:/c\n1:net_cls:/n\n",
			"name=systemd at /sys/fs/cgroup/systemd of / own /system.slice/a.service\n" +
				"cpu at /sys/fs/cgroup/cpu,cpuacct of / own /c\n" +
				"memory at /sys/fs/cgroup/memory of / own /m\n" +
				"pids at /sys/fs/cgroup/pids of / own /\n",
		},
		"both": {
			onlyV1 + hybridMore, "9:name=systemd:/s\n8:pids:/p\n4:memory:/m\n2:cpu,cpuacct:/c\n0::/u\n",
			"name=systemd at /sys/fs/cgroup/systemd of / own /s\n" +
				"cpu at /sys/fs/cgroup/cpu,cpuacct of / own /c\n" +
				"memory at /sys/fs/cgroup/memory of / own /m\n" +
				"pids at /sys/fs/cgroup/pids of / own /p\n" +
				"cgroup2 at /sys/fs/cgroup/unified of / own /u\n",
		},
		"version 2":           {pureV2, "0::/system.slice/a.service\n", "cgroup2 at /sys/fs/cgroup of / own /system.slice/a.service\n"},
		"a bind mount":        {inside, "0::/kubepods/pod1/c1\n", "cgroup2 at /sys/fs/cgroup of /kubepods/pod1/c1 own /kubepods/pod1/c1\n"},
		"a strange directory": {strings.Split(onlyV1, "\n")[5], "4:memory:/m\n", "memory at /somewhere/with blank of /docker/abc own /m\n"},
		"nothing of use":      {"x\n34 31 0:31 / /n rw - cgroup cgroup rw,net_cls\n\n", "1:net_cls:/\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			all := parseMounts(c.mountinfo)
			locate(all, c.membership)
			var got strings.Builder
			for _, h := range all {
				got.WriteString(h.String() + " at " + h.mount + " of " + h.root + " own " + h.own + "\n")
			}
			if got.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), c.want)
			}
		})
	}
}

func TestTheParentIsOutsideTheAgentsGroup(t *testing.T) {
	cases := map[string]struct {
		root, own, parent string
		whole             bool
		want, text        string
	}{
		"beside":                {"/", "/system.slice/a.service", "draas", true, "/draas", ""},
		"nested":                {"/", "/system.slice/a.service", "draas.slice/servers", true, "/draas.slice/servers", ""},
		"agent in the root":     {"/", "/", "draas", true, "/draas", ""},
		"above the agent":       {"/", "/draas/agent", "draas", true, "/draas", ""},
		"same as the agent's":   {"/", "/draas", "draas", true, "", "inside the agent's own group"},
		"in the agent's":        {"/", "/system.slice/a.service", "system.slice/a.service/x", true, "", "inside the agent's own group"},
		"alike but not in it":   {"/", "/dra", "draas", true, "/draas", ""},
		"told to":               {"/", "/system.slice/a.service", "/system.slice/a.service/x", true, "/system.slice/a.service/x", ""},
		"namespace":             {"/", "/", "draas", false, "", "no group but its own"},
		"namespace, told to":    {"/", "/", "/draas", false, "/draas", ""},
		"bind mount of its own": {"/docker/abc", "/docker/abc", "draas", false, "", "no group but its own"},
		"bind mount above":      {"/docker", "/docker/abc", "draas", false, "/draas", ""},
		"bind mount elsewhere":  {"/docker/abc", "/user", "draas", false, "/draas", ""},
		"outside the namespace": {"/", "/../other", "draas", false, "/draas", ""},
		"unknown":               {"/", "", "draas", false, "/draas", ""},
		"dots":                  {"/", "/", "../x", true, "", "no parent"},
		"dots inside":           {"/", "/", "/a/../x", true, "", "no parent"},
		"the root":              {"/", "/", "/", true, "", "no parent"},
		"empty":                 {"/", "/", "", true, "", "no parent"},
	}
	for name, c := range cases {
		for _, unified := range []bool{false, true} {
			h := &hierarchy{unified: unified, controllers: []string{"memory"}, mount: t.TempDir(), root: c.root, own: c.own}
			// The root of version 1 has a file that others have not, and that of version 2 has not what others have.
			if unified != c.whole {
				touch(t, filepath.Join(h.mount, map[bool]string{false: "release_agent", true: "cgroup.type"}[unified]), "")
			}
			err := h.place(c.parent)
			switch {
			case c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)):
				t.Errorf("%s, version 2 %t: error is %v", name, unified, err)
			case c.text == "" && (err != nil || h.parent != filepath.Join(h.mount, c.want)):
				t.Errorf("%s, version 2 %t: %s, %v", name, unified, h.parent, err)
			}
		}
	}
}

func touch(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheAgentsOwnGroupIsNobodys(t *testing.T) {
	mount := t.TempDir()
	in := &Tree{all: []*hierarchy{{unified: true, mount: mount, root: "/", own: "/draas/agent/sub", parent: filepath.Join(mount, "draas")}}}
	for _, name := range []string{"agent", "other", probePrefix + "1"} {
		touch(t, filepath.Join(mount, "draas", name, "cgroup.procs"), "")
	}
	if _, err := in.Group("agent"); err == nil || !strings.Contains(err.Error(), "the agent itself") {
		t.Errorf("error is %v", err)
	}
	if names, err := in.Groups(); err != nil || !slices.Equal(names, []string{"other"}) {
		t.Errorf("%v, %v", names, err)
	}
}

func TestANameIsOneGroup(t *testing.T) {
	in := &Tree{}
	for _, name := range []string{"", ".", "..", "a/b", "../x", ".hidden", "a\n", "a\x00"} {
		if _, err := in.Group(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if g, err := in.Group("6e1f0d5c-0000-4000-8000-000000000000"); err != nil || g.Name() == "" {
		t.Error(err)
	}
}

// inFiles lets the library take plain files for those of the kernel.
func inFiles(t *testing.T) {
	t.Helper()
	cgroups.TestMode = true
	t.Cleanup(func() { cgroups.TestMode = false })
}

func TestControllersAreEnabledDownToTheParent(t *testing.T) {
	inFiles(t)
	mount := t.TempDir()
	h := &hierarchy{unified: true, mount: mount, root: "/", parent: filepath.Join(mount, "a", "b")}
	for dir, there := range map[string]string{".": "cpuset cpu io memory pids", "a": "cpu memory", "a/b": "memory"} {
		touch(t, filepath.Join(mount, dir, "cgroup.controllers"), there+"\n")
		touch(t, filepath.Join(mount, dir, "cgroup.subtree_control"), "")
	}
	touch(t, filepath.Join(mount, "cgroup.subtree_control"), "cpu memory\n")
	touch(t, filepath.Join(mount, "x", "cgroup.subtree_control"), "untouched")
	h.enable()
	// A plain file has what was written last.
	for dir, want := range map[string]string{".": "+pids", "a": "+cpu", "a/b": "+memory", "x": "untouched"} {
		text, err := os.ReadFile(filepath.Join(mount, dir, "cgroup.subtree_control"))
		if err != nil || string(text) != want {
			t.Errorf("%s has %q, %v; want %q", dir, text, err, want)
		}
	}
}

func TestWhatCannotBeEnforcedIsSaid(t *testing.T) {
	cases := map[string]struct {
		there, files string
		want         Support
	}{
		"all":          {"cpu memory pids", "cpu.max memory.max pids.max", Support{Memory: true, CPU: true, PIDs: true}},
		"none":         {"", "", Support{Why: "limits of memory, cpu, pids cannot be enforced: no hierarchy has the controller"}},
		"memory":       {"memory", "memory.max", Support{Memory: true, Why: "limits of cpu, pids cannot be enforced: no hierarchy has the controller"}},
		"not enabled":  {"cpu memory pids", "pids.max", Support{PIDs: true, Why: "limits of memory, cpu cannot be enforced: the kernel did not let them be enabled"}},
		"no bandwidth": {"cpu memory pids", "memory.max pids.max", Support{Memory: true, PIDs: true, Why: "limits of cpu cannot be enforced: the kernel"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inFiles(t)
			mount := t.TempDir()
			in := &Tree{all: []*hierarchy{{unified: true, mount: mount, root: "/", parent: filepath.Join(mount, "draas")}}}
			touch(t, filepath.Join(mount, "cgroup.controllers"), c.there)
			for _, file := range strings.Fields(c.files) {
				touch(t, filepath.Join(mount, "draas", "g", file), "")
			}
			in.assign(&Group{tree: in, name: "g"})
			why := strings.Join(in.missing(), "; ")
			got := in.support
			if got.Memory != c.want.Memory || got.CPU != c.want.CPU || got.PIDs != c.want.PIDs || !strings.HasPrefix(why, c.want.Why) || (why == "") != (c.want.Why == "") {
				t.Errorf("got %+v, %q", got, why)
			}
		})
	}
}

func TestSwapThatNoLimitCoversIsSaid(t *testing.T) {
	const none, some = "Filename Type Size Used Priority\n", "Filename Type Size Used Priority\n/swapfile file 1 0 -2\n"
	for _, unified := range []bool{false, true} {
		mount := t.TempDir()
		h := &hierarchy{unified: unified, controllers: []string{"memory"}, mount: mount, root: "/", parent: mount}
		in := &Tree{all: []*hierarchy{h}, by: map[string]*hierarchy{"memory": h}}
		g := group(t, in, "g")
		if in.swaps(g, none) || !in.swaps(g, some) {
			t.Errorf("version 2 %t: without the file", unified)
		}
		touch(t, filepath.Join(g.dir(h), map[bool]string{false: swapFile, true: "memory.swap.max"}[unified]), "")
		if in.swaps(g, none) || in.swaps(g, some) {
			t.Errorf("version 2 %t: with the file", unified)
		}
	}
	if (&Tree{}).swaps(nil, some) {
		t.Error("without a limit")
	}
}

func TestOnlyWhatIsWantedIsBeyond(t *testing.T) {
	some := Support{Memory: true}
	all := Limits{Memory: 1, CPU: 2, PIDs: 3}
	if got := some.Beyond(all); !slices.Equal(got, []string{"cpu", "pids"}) {
		t.Errorf("beyond is %v", got)
	}
	if got := some.Beyond(Limits{Memory: 1}); len(got) > 0 {
		t.Errorf("beyond is %v", got)
	}
	if got := some.Within(all); got != (Limits{Memory: 1}) {
		t.Errorf("within is %+v", got)
	}
	if got := (Support{CPU: true, PIDs: true}).Within(all); got != (Limits{CPU: 2, PIDs: 3}) {
		t.Errorf("within is %+v", got)
	}
}

func TestLimitsOfVersion2AreWritten(t *testing.T) {
	inFiles(t)
	mount := t.TempDir()
	h := &hierarchy{unified: true, mount: mount, root: "/", parent: filepath.Join(mount, "draas")}
	in := &Tree{all: []*hierarchy{h}, by: map[string]*hierarchy{"memory": h, "cpu": h, "pids": h}, support: Support{Memory: true, CPU: true, PIDs: true}}
	g := group(t, in, "g")
	for _, file := range []string{"cgroup.controllers", "memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max", "cgroup.procs"} {
		touch(t, filepath.Join(g.dir(h), file), "")
	}
	steps := []struct {
		limits                 Limits
		memory, swap, cpu, pid string
	}{
		{Limits{Memory: 1 << 20, CPU: 1500, PIDs: 7}, "1048576", "0", "150000 100000", "7"},
		{Limits{}, "max", "max", "max 100000", "max"},
	}
	for _, step := range steps {
		if err := g.limit(step.limits); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"memory.max": step.memory, "memory.swap.max": step.swap, "memory.oom.group": "1", "cpu.max": step.cpu, "pids.max": step.pid,
		}
		for file, text := range want {
			if got, err := os.ReadFile(filepath.Join(g.dir(h), file)); err != nil || string(got) != text {
				t.Errorf("%s is %q, %v; want %q", file, got, err, text)
			}
		}
	}
}

func TestOOMKillsOfBothVersionsAreRead(t *testing.T) {
	inFiles(t)
	for _, unified := range []bool{false, true} {
		mount := t.TempDir()
		h := &hierarchy{unified: unified, controllers: []string{"memory"}, mount: mount, root: "/", parent: mount}
		in := &Tree{all: []*hierarchy{h}, by: map[string]*hierarchy{"memory": h}}
		g := group(t, in, "g")
		if n, err := g.OOMKills(); err != nil || n != 0 {
			t.Errorf("version 2 %t: %d, %v for a group that does not exist", unified, n, err)
		}
		// Version 2 counts subgroups with the group, version 1 each by itself.
		if unified {
			touch(t, filepath.Join(g.dir(h), "memory.events"), "low 0\nhigh 1\nmax 9\noom 8\noom_kill 5\noom_group_kill 2\n")
		} else {
			touch(t, filepath.Join(g.dir(h), "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
			touch(t, filepath.Join(g.dir(h), "sub", "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
		}
		if n, err := g.OOMKills(); err != nil || n != 5 {
			t.Errorf("version 2 %t: %d, %v", unified, n, err)
		}
	}
}

func TestThatALimitWasHitIsReadInBothVersions(t *testing.T) {
	inFiles(t)
	const none = "9223372036854771712\n"
	for name, c := range map[string]struct {
		unified bool
		files   map[string]string
		want    bool
	}{
		"version 2, no group":                   {true, nil, false},
		"version 2, the own limit":              {true, map[string]string{"memory.events": "max 9\noom 1\noom_kill 2\n", "memory.events.local": "max 9\noom 1\noom_kill 2\n"}, true},
		"version 2, another limit":              {true, map[string]string{"memory.events": "max 9\noom 0\noom_kill 2\n", "memory.events.local": "max 9\noom 0\noom_kill 2\n"}, false},
		"version 2, the limit of a group below": {true, map[string]string{"memory.events": "oom 1\noom_kill 2\n", "memory.events.local": "oom 0\noom_kill 0\n"}, false},
		"version 2 before 5.2, own limit":       {true, map[string]string{"memory.events": "max 9\noom 1\noom_kill 2\n"}, true},
		"version 2 before 5.2, another":         {true, map[string]string{"memory.events": "max 9\noom 0\noom_kill 2\n"}, false},
		"version 1, no group":                   {false, nil, false},
		"version 1, all is used": {false, map[string]string{
			"memory.limit_in_bytes": "50331648\n", "memory.max_usage_in_bytes": "50331648\n",
		}, true},
		"version 1, all but a page is used": {false, map[string]string{
			"memory.limit_in_bytes": "50331648\n", "memory.max_usage_in_bytes": "50327552\n",
		}, true},
		"version 1, a mebibyte is left": {false, map[string]string{
			"memory.limit_in_bytes": "50331648\n", "memory.max_usage_in_bytes": "49283072\n",
		}, false},
		"version 1, all is used with swap": {false, map[string]string{
			"memory.limit_in_bytes": "50331648\n", "memory.max_usage_in_bytes": "1048576\n",
			"memory.memsw.limit_in_bytes": "50331648\n", "memory.memsw.max_usage_in_bytes": "50331648\n",
		}, true},
		"version 1, without a limit": {false, map[string]string{
			"memory.limit_in_bytes": none, "memory.max_usage_in_bytes": "50331648\n",
			"memory.memsw.limit_in_bytes": none, "memory.memsw.max_usage_in_bytes": "50331648\n",
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			mount := t.TempDir()
			h := &hierarchy{unified: c.unified, controllers: []string{"memory"}, mount: mount, root: "/", parent: mount}
			g := group(t, &Tree{all: []*hierarchy{h}, by: map[string]*hierarchy{"memory": h}}, "g")
			for file, text := range c.files {
				touch(t, filepath.Join(g.dir(h), file), text)
			}
			if hit, err := g.LimitHit(); err != nil || hit != c.want {
				t.Errorf("%t, %v", hit, err)
			}
		})
	}
}

func TestWhoLivesIsReadFromTheState(t *testing.T) {
	line := func(state, threads string) string {
		return "7 (a) Z (b) " + state + " 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 " + threads + " 0 12345 0 0\n"
	}
	cases := map[string]struct {
		text string
		want bool
	}{
		"running":                  {line("R", "4"), true},
		"stopped":                  {line("T", "1"), true},
		"uninterruptible":          {line("D", "1"), true},
		"zombie":                   {line("Z", "1"), false},
		"zombie without a count":   {line("Z", "0"), false},
		"first thread ended":       {line("Z", "3"), true},
		"dead":                     {line("X", "0"), false},
		"nothing":                  {"", false},
		"cut off before the count": {"7 (a) R 1 2", false},
	}
	for name, c := range cases {
		if got := living([]byte(c.text)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAProcessorsShareOfAPeriod(t *testing.T) {
	for thousandths, want := range map[int64]int64{0: -1, -5: -1, 1: 1000, 10: 1000, 11: 1100, 500: 50_000, 1000: 100_000, 2500: 250_000} {
		if got := quota(thousandths); got != want {
			t.Errorf("%d: %d, want %d", thousandths, got, want)
		}
	}
}
