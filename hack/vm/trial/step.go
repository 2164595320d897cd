package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const sampleFile = "config/samples/draas_v1alpha1_drasiinstance.yaml"

func (t *trial) instanceRuns(ctx context.Context) error {
	if err := t.administrator(ctx, "kubectl apply --server-side -f "+sampleFile); err != nil {
		return err
	}
	if err := t.limit(ctx); err != nil {
		return err
	}
	object, err := t.untilInstanceReady(ctx, run{})
	if err != nil {
		return err
	}
	t.server = runOf(object)
	return t.settle(ctx)
}

// settle waits until the server that runs is the one with the limits: applying and limiting are two changes.
func (t *trial) settle(ctx context.Context) error {
	return until(ctx, "the server has its limits", func(ctx context.Context) (bool, string, error) {
		object, err := t.untilInstanceReady(ctx, run{})
		if err != nil {
			return false, "", err
		}
		t.server = runOf(object)
		limit, err := t.memoryLimit(ctx)
		return limit == wantedMemory, "memory.max is " + limit, err
	})
}

const (
	wantedMemory = "268435456"
	wantedCPU    = "50000 100000"
	// instances is the cgroup that the agent's unit names.
	instances = "/system.slice/draas-servers.service/instances/"
)

func (t *trial) memoryLimit(ctx context.Context) (string, error) {
	return t.inside(ctx, t.inGroup("cat memory.max"))
}

// inGroup is a script that runs in the directory of the server's cgroup.
func (t *trial) inGroup(script string) string {
	return fmt.Sprintf("cd /sys/fs/cgroup$(sed -n s/^0:://p /proc/%d/cgroup)\n%s", t.server.pid, script)
}

// confined looks at the server from the machine's side.
func (t *trial) confined(ctx context.Context) error {
	out, err := t.inside(ctx, fmt.Sprintf(`
cat /proc/%[1]d/oom_score_adj
sed -n 's/^0:://p' /proc/%[1]d/cgroup
sed -n 's/^\(NoNewPrivs\|CapEff\|CapBnd\|Uid\):\s*//p' /proc/%[1]d/status
readlink /proc/%[1]d/ns/mnt
readlink /proc/1/ns/mnt
`, t.server.pid)+t.inGroup("cat memory.max cpu.max pids.max"))
	if err != nil {
		return err
	}
	t.quote(out)
	lines := strings.Split(out, "\n")
	const want = 11
	if len(lines) != want {
		return fmt.Errorf("it said %d lines, want %d", len(lines), want)
	}
	return errors.Join(
		equal("its score for the out-of-memory killer", lines[0], "0"),
		prefixed("its cgroup", lines[1], instances),
		equal("its effective capabilities", lines[3], strings.Repeat("0", 16)),
		equal("its bounding capabilities", lines[4], strings.Repeat("0", 16)),
		equal("no_new_privs", lines[5], "1"),
		equal("its mount namespace, against that of process 1", lines[6], lines[7]),
		equal("memory.max", lines[8], wantedMemory),
		equal("cpu.max", lines[9], wantedCPU),
	)
}

func equal(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s is %q, want %q", what, got, want)
	}
	return nil
}

func prefixed(what, got, want string) error {
	if !strings.HasPrefix(got, want) {
		return fmt.Errorf("%s is %q, want it to begin with %q", what, got, want)
	}
	return nil
}

func (t *trial) look(ctx context.Context) error { return t.page(ctx, "look") }

// mainPID is the agent's.
func (t *trial) mainPID(ctx context.Context) (int, error) {
	out, err := t.inside(ctx, "systemctl show -P MainPID draas-agent")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// undisturbed does something to the agent and looks that another one comes, and that the server and its object are as they were.
func (t *trial) undisturbed(ctx context.Context, do func(context.Context) error) error {
	before, err := t.instance(ctx)
	if err != nil {
		return err
	}
	old, err := t.mainPID(ctx)
	if err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	if err := t.agentServes(ctx, old); err != nil {
		return err
	}
	if err := t.serverLives(ctx); err != nil {
		return err
	}
	after, err := t.instance(ctx)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("the object's resourceVersion", after.GetResourceVersion(), before.GetResourceVersion()),
		equal("restarts", restarts(after), restarts(before)))
}

func restarts(object *unstructured.Unstructured) string {
	n, _, err := unstructured.NestedInt64(object.Object, "status", "restarts")
	return fmt.Sprint(n, err)
}

// agentServes waits until an agent other than the old one has adopted what runs: it says so in its log.
func (t *trial) agentServes(ctx context.Context, old int) error {
	return until(ctx, "another agent serves", func(ctx context.Context) (bool, string, error) {
		now, err := t.mainPID(ctx)
		if err != nil || now == 0 || now == old {
			return false, fmt.Sprintf("the agent's PID is %d", now), err
		}
		out, err := t.inside(ctx, fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/8083; printf \"GET /readyz HTTP/1.0\\r\\n\\r\\n\" >&3; head -1 <&3' 2>&1 || true\njournalctl -o cat --no-pager _PID=%d | tail -3", now))
		return strings.Contains(out, "200 OK"), out, err
	})
}

// serverLives looks that the server's process is there, and is the one that has its cgroup.
func (t *trial) serverLives(ctx context.Context) error {
	_, err := t.inside(ctx, fmt.Sprintf("kill -0 %d\n", t.server.pid)+t.inGroup(fmt.Sprintf("grep -qx %d cgroup.procs", t.server.pid)))
	if err != nil {
		return fmt.Errorf("the server with PID %d is gone: %w", t.server.pid, err)
	}
	return nil
}

func (t *trial) restart(ctx context.Context) error {
	return t.undisturbed(ctx, t.command("systemctl restart draas-agent"))
}

func (t *trial) kill(ctx context.Context) error {
	return t.undisturbed(ctx, t.command("systemctl kill -s KILL draas-agent"))
}

func (t *trial) upgrade(ctx context.Context) error {
	return t.undisturbed(ctx, func(ctx context.Context) error { return t.page(ctx, "upgrade") })
}

func (t *trial) command(script string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := t.inside(ctx, script)
		return err
	}
}

// reload has systemd write all its cgroups anew: by itself, and since another service of the same slice comes and goes with limits.
func (t *trial) reload(ctx context.Context) error {
	const other = `
cat >/run/systemd/system/other.service <<end
[Service]
Type=oneshot
ExecStart=/bin/true
MemoryMax=64M
CPUQuota=50%
TasksMax=10
end
systemctl daemon-reload
systemctl start other
systemctl daemon-reexec
rm /run/systemd/system/other.service
systemctl daemon-reload
`
	if _, err := t.inside(ctx, other); err != nil {
		return err
	}
	return errors.Join(t.serverLives(ctx), t.confined(ctx))
}

// outOfMemory has a process in the server's cgroup take more memory than there is for both.
func (t *trial) outOfMemory(ctx context.Context) error {
	if _, err := t.inside(ctx, t.inGroup("sh -c 'echo $$ >cgroup.procs; exec tail /dev/zero' || true")); err != nil {
		return err
	}
	object, err := t.untilInstanceReady(ctx, t.server)
	if err != nil {
		return err
	}
	t.server = runOf(object)
	reason, _, err := unstructured.NestedString(object.Object, "status", "lastTermination", "reason")
	if err != nil {
		return fmt.Errorf("read how the server ended: %w", err)
	}
	state, err := t.inside(ctx, "systemctl is-active draas-servers draas-agent || true")
	return errors.Join(err, equal("how the server ended", reason, "OOMKilled"), equal("the units' state", state, "active\nactive"), t.serverLives(ctx), t.confined(ctx))
}

func (t *trial) stopped(ctx context.Context) error {
	return t.undisturbed(ctx, func(ctx context.Context) error {
		if _, err := t.inside(ctx, "systemctl stop draas-agent"); err != nil {
			return err
		}
		if err := errors.Join(t.serverLives(ctx), t.confined(ctx)); err != nil {
			return err
		}
		_, err := t.inside(ctx, "systemctl start draas-agent")
		return err
	})
}

func (t *trial) reboot(ctx context.Context) error {
	old := t.server
	before, err := t.orderlyStops(ctx)
	if err != nil {
		return err
	}
	if err := t.m.Reboot(ctx); err != nil {
		return err
	}
	object, err := t.untilInstanceReady(ctx, old)
	if err != nil {
		return err
	}
	t.server = runOf(object)
	after, err := t.orderlyStops(ctx)
	if err == nil && after != before+1 {
		err = fmt.Errorf("its output tells of %d stops in order, want %d: systemd stops servers by SIGINT", after, before+1)
	}
	return errors.Join(err, t.serverLives(ctx), t.confined(ctx))
}

// orderlyStops counts in the servers' output how often one stopped by itself on a SIGINT.
func (t *trial) orderlyStops(ctx context.Context) (int, error) {
	out, err := t.inside(ctx, "cat /var/lib/draas/instances/*/logs/* | grep -c 'Shutting down Drasi Server' || true")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// uninstall runs the page's commands, and looks that neither the agent nor the server nor their cgroups are left.
func (t *trial) uninstall(ctx context.Context) error {
	if err := t.page(ctx, "uninstall"); err != nil {
		return err
	}
	_, err := t.inside(ctx, "if pgrep -lx 'drasi-server|draas-manager'; then exit 1; fi\ntest ! -e /sys/fs/cgroup/system.slice/draas-servers.service\ntest ! -e /usr/local/bin/draas-manager")
	return err
}
