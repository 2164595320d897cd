//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// nanoseconds makes the wall clock's own count an instant.
func nanoseconds(t time.Time) instant { return instant(t.UnixNano()) }

func TestWritesAreCountedByWhatTheyWrite(t *testing.T) {
	const agent, controller = `"user":{"username":"system:serviceaccount:draas-system:draas-agent"}`, `"user":{"username":"system:serviceaccount:draas-system:draas-controller"}`
	event := func(user, rest string) string {
		return `{"stage":"ResponseComplete","verb":"patch",` + user + `,"requestReceivedTimestamp":"1970-01-01T00:00:00.000001Z","stageTimestamp":"1970-01-01T00:00:00.000003Z",` + rest + "}\n"
	}
	text := event(agent, `"objectRef":{"apiGroup":"draas.io","resource":"drasiinstances","subresource":"status","name":"a"},"responseStatus":{"code":200}`) +
		event(agent, `"objectRef":{"apiGroup":"draas.io","resource":"drasiinstances","subresource":"status","name":"a"},"responseStatus":{"code":409}`) +
		event(agent, `"objectRef":{"apiGroup":"coordination.k8s.io","resource":"leases","name":"h"},"responseStatus":{"code":200}`) +
		event(agent, `"objectRef":{"apiGroup":"draas.io","resource":"drasihosts","subresource":"status","name":"h"},"responseStatus":{"code":200}`) +
		event(controller, `"objectRef":{"apiGroup":"draas.io","resource":"drasiinstances","name":"a"},"responseStatus":{"code":200}`) +
		event(controller, `"objectRef":{"apiGroup":"events.k8s.io","resource":"events"},"responseStatus":{"code":201}`) +
		event(controller, `"objectRef":{"resource":"events"},"responseStatus":{"code":201}`) +
		event(`"user":{"username":"admin"}`, `"objectRef":{"apiGroup":"draas.io","resource":"drasiinstances","name":"a"},"responseStatus":{"code":201}`) +
		`{"stage":"ResponseStarted"}` + "\n"
	writes, err := parseAudit([]byte(text), nanoseconds)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := count(writes, ""), (tally{instances: 2, events: 1, leases: 2, hosts: 1, refused: 1}); got != want {
		t.Errorf("both parts: got %+v, want %+v", got, want)
	}
	if got, want := count(writes, "agent"), (tally{instances: 1, leases: 1, hosts: 1, refused: 1}); got != want {
		t.Errorf("the agent: got %+v, want %+v", got, want)
	}
	first := firstWrite(writes, "agent", "drasiinstances/status", "a")
	if first.Received != 1000 || first.Completed != 3000 {
		t.Errorf("the agent's first write was from %d to %d", first.Received, first.Completed)
	}
	if none := firstWrite(writes, "agent", "drasiinstances", "a"); none.Received != 0 {
		t.Errorf("found a write that there is not: %+v", none)
	}
	if _, err := parseAudit([]byte("{\n"), nanoseconds); err == nil {
		t.Error("a broken log is taken for a whole one")
	}
}

func TestTheRecordTellsStartsEndsAndOverlaps(t *testing.T) {
	starts, err := parseRecord("start 12 1000 /a dir/server.json\nstop 12 2000 /a dir/server.json 0\nstart 13 3000 /b\n")
	if err != nil {
		t.Fatal(err)
	}
	if startOf(starts, 12) != 1000 || endOf(starts, 12) != 2000 || startOf(starts, 13) != 3000 || endOf(starts, 13) != 0 || startOf(starts, 14) != 0 {
		t.Errorf("got %+v", starts)
	}
	if got := onlyStarts(starts); len(got) != 2 || len(starts) != 3 {
		t.Errorf("starts alone: %+v of %+v", got, starts)
	}
	for _, bad := range []string{"overlap 12 1000 /a\n", "start x 1000 /a\n", "start 12 x /a\n", "start\n"} {
		if _, err := parseRecord(bad); err == nil {
			t.Errorf("%q is taken for a start", bad)
		}
	}
}

func TestProcFilesAreRead(t *testing.T) {
	m, err := parseMemory("Name:\tx\nVmRSS:\t   2048 kB\nRssAnon:\t    1024 kB\n")
	if err != nil || m.rss != 2<<20 || m.rssAnon != 1<<20 {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := parseMemory("Name:\tkthreadd\n"); err == nil {
		t.Error("a process without memory is taken for one of none")
	}
	used, err := parseCPU("12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0")
	if err != nil || used != 2*time.Second {
		t.Errorf("got %v, %v", used, err)
	}
	if _, err := parseCPU("12 (a) S 1"); err == nil {
		t.Error("a short line is taken for a whole one")
	}
	if got := pidIn("pos:\t0\nflags:\t02000002\nPid:\t4711\nNSpid:\t4711\n"); got != 4711 {
		t.Errorf("the pidfd is of %d", got)
	}
	if got := pidIn("Pid:\t-1\n"); got != -1 {
		t.Errorf("the pidfd of a dead process is of %d", got)
	}
}

func TestMetricsAreRead(t *testing.T) {
	got := parseMetrics("# HELP a b\na 1.5e+06\nb{x=\"y z\",result=\"success\"} 7\nbroken\n")
	if got["a"] != 1.5e6 || got[`b{x="y z",result="success"}`] != 7 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestTheServersOwnWordForItsStartIsFound(t *testing.T) {
	text := "Starting Drasi Server\n1970-01-01T00:00:00.000001Z  INFO drasi_server: Port: 1\n1970-01-01T00:00:00.000002Z  INFO drasi_server::server: Drasi Server started successfully with API on port 1\n"
	if got := boundIn(text, nanoseconds); got != 2000 {
		t.Errorf("got %d", got)
	}
	if got := boundIn("nothing yet\n", nanoseconds); got != 0 {
		t.Errorf("got %d of a server that has not started", got)
	}
}

func TestEffectsAreFoundInTheirOrder(t *testing.T) {
	effects := trail{
		{at: 1, path: "/s/u", mask: unix.IN_CREATE},
		{at: 2, path: "/s/u/journal.json", mask: unix.IN_MOVED_TO},
		{at: 3, path: "/bin/server", mask: unix.IN_OPEN},
		{at: 3, path: "/s/u/launch.json", mask: unix.IN_CLOSE_WRITE},
		{at: 3, path: "/s/u/journal.json", mask: unix.IN_MOVED_TO},
		{at: 4, path: "/bin/server", mask: unix.IN_OPEN},
	}
	for _, c := range []struct {
		suffix string
		want   instant
	}{{"/s/u", 0}, {"u/journal.json", 2}, {"u/launch.json", 3}, {"absent", 0}, {"u/journal.json", 3}, {"/bin/server", 4}, {"u/journal.json", 0}} {
		if got := effects.next(c.suffix); got != c.want {
			t.Errorf("%s: got %d, want %d", c.suffix, got, c.want)
		}
	}
}

func TestAnEffectThatMayBeAbsentIsNotTakenFromLater(t *testing.T) {
	with := trail{{at: 1, path: "journal", mask: unix.IN_MOVED_TO}, {at: 2, path: "spec", mask: unix.IN_CLOSE_WRITE}, {at: 3, path: "journal", mask: unix.IN_MOVED_TO}}
	without := with[1:]
	for _, c := range []struct {
		name  string
		trail trail
		want  []instant
	}{{"there", with, []instant{1, 2, 3}}, {"absent", without, []instant{0, 2, 3}}, {"nothing", nil, []instant{0, 0, 0}}} {
		left := c.trail
		got := []instant{left.nextBefore("journal", "spec"), left.next("spec"), left.next("journal")}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStepsWithoutBothEndsAreLeftOut(t *testing.T) {
	var s steps
	s.add("first", 1, 1_000_001)
	s.add("second", 0, 5)
	s.add("first", 5, 0)
	r := &result{}
	s.into(r)
	if len(r.Figures) != 2 || r.Figures[0].Series.N != 1 || r.Figures[0].Series.P50 != 1 || r.Figures[1].Series.N != 0 {
		t.Errorf("got %+v", r.Figures)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	o, err := parseOptions([]string{"-cases", "ready,crash", "-counts", "0,7"})
	if err != nil || !slices.Equal(o.cases, []string{"ready", "crash"}) || !slices.Equal(o.counts, []int{0, 7}) {
		t.Errorf("got %+v, %v", o, err)
	}
	all, err := parseOptions(nil)
	if err != nil || len(all.cases) != len(benches())-1 || slices.Contains(all.cases, "bare") {
		t.Errorf("all: got %v, %v", all.cases, err)
	}
	for _, bad := range [][]string{{"-cases", "nonsense"}, {"-counts", "x"}, {"-counts", "-1"}, {"-etcd", "nowhere"}} {
		if _, err := parseOptions(bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestArgumentsAreReplacedByFlag(t *testing.T) {
	args := []string{"--config", "/a", "--port", "1"}
	if got := with(args, "--port", "2"); !slices.Equal(got, []string{"--config", "/a", "--port", "2"}) || args[3] != "1" {
		t.Errorf("got %v of %v", got, args)
	}
	if got := valueOf(args, "--config"); got != "/a" {
		t.Errorf("got %q", got)
	}
	if got := valueOf(args, "--absent"); got != "" {
		t.Errorf("got %q of an absent flag", got)
	}
}
