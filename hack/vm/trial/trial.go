package trial

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/draas-io/draas/hack/vm/machine"
)

// trial is one pass through the page.
type trial struct {
	*world
	blocks map[string]string
	m      *machine.Machine
	begun  time.Time

	// server is the run of the instance's server that is expected.
	server run
}

// Run tries everything on a machine with the given options. What is seen goes to log.
func Run(ctx context.Context, options machine.Options, log io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "draas-trial-")
	if err != nil {
		return fmt.Errorf("make a directory for the trial: %w", err)
	}
	t := &trial{world: &world{dir: dir, log: log}, begun: time.Now()}
	defer func() { err = errors.Join(err, t.stop(), os.RemoveAll(dir)) }()
	if t.blocks, err = readBlocks(hostsPage); err != nil {
		return err
	}
	if err := t.build(ctx); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	t.say("the control plane and the controller run")
	options.Files, options.Network = t.files(), true
	if t.m, err = machine.Boot(ctx, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.m.Close()) }()
	for _, s := range t.steps() {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w\n%s", s.what, err, t.journal(ctx))
		}
		t.say("ok: %s", s.what)
	}
	return nil
}

type step struct {
	what string
	do   func(context.Context) error
}

func (t *trial) steps() []step {
	return []step{
		{"an administrator makes the host's credentials", t.access},
		{"the host is installed", t.install},
		{"DrasiHost becomes Ready", t.untilHostReady},
		{"an instance becomes Ready", t.instanceRuns},
		{"the server is outside the agent's cgroup, with its limits", t.confined},
		{"what the page has people look at answers", t.look},
		{"a restart of the agent leaves the server and its object alone", t.restart},
		{"an upgrade does so too", t.upgrade},
		{"a SIGKILL of the agent does so too, and systemd starts the agent again", t.kill},
		{"daemon-reload and limits of other units leave the server's limits in force", t.reload},
		{"a server that is out of memory is killed, told of and started again, and both units go on", t.outOfMemory},
		{"while the agent is stopped the server runs on", t.stopped},
		{"after a reboot the instance comes back by itself", t.reboot},
		{"the host is uninstalled, and nothing runs", t.uninstall},
	}
}

func (t *trial) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.log, "%6.1fs  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...)) // who reads no more misses nothing else
}

// inside runs a script in the machine and returns what it printed.
func (t *trial) inside(ctx context.Context, script string) (string, error) {
	var out bytes.Buffer
	code, err := t.m.Run(ctx, "set -eu\n"+script, &out)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d of\n%s\n%s", code, script, out.String())
	}
	return strings.TrimSpace(out.String()), err
}

// journal is what the units said, for who must find out why a step failed.
func (t *trial) journal(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	out, err := t.inside(ctx, "systemctl --no-pager -l status -n 0 draas-agent draas-servers || true; journalctl --no-pager -o cat -n 30 -u draas-agent -u draas-servers")
	if err != nil {
		return err.Error()
	}
	return out
}

// access runs the page's commands for an administrator of the cluster. Only the API server's address, and the name in its certificate, are this trial's.
func (t *trial) access(ctx context.Context) error {
	address, err := t.addressInside()
	if err != nil {
		return err
	}
	script, err := assign(t.blocks["access"], "server", address)
	if err != nil {
		return err
	}
	if script, err = assign(script, "host", hostName); err != nil {
		return err
	}
	if err := t.administrator(ctx, "root=$PWD; cd "+t.dir+"\n"+script); err != nil {
		return err
	}
	return t.administrator(ctx, "kubectl config --kubeconfig "+t.path("agent.kubeconfig")+" set-cluster draas --tls-server-name="+serverName)
}

// install runs the page's commands on the host, with the files where it says.
func (t *trial) install(ctx context.Context) error {
	credentials, err := os.ReadFile(t.path("agent.kubeconfig"))
	if err != nil {
		return fmt.Errorf("read the host's credentials: %w", err)
	}
	prepare := fmt.Sprintf("hostname %s\nhostname >/etc/hostname\nmkdir -p /opt\ncp -r /vm/drasi /opt/drasi\necho %s | base64 -d >/vm/draas/agent.kubeconfig\n",
		hostName, base64.StdEncoding.EncodeToString(credentials))
	if _, err := t.inside(ctx, prepare); err != nil {
		return err
	}
	return t.page(ctx, "install")
}

// page runs a block of the page on the host, at the root of the checkout.
func (t *trial) page(ctx context.Context, name string) error {
	out, err := t.inside(ctx, "cd /vm/draas\n"+t.blocks[name])
	if err == nil {
		t.quote(out)
	}
	return err
}

func (t *trial) quote(text string) {
	for line := range strings.Lines(text) {
		_, _ = fmt.Fprintf(t.log, "         | %s\n", strings.TrimRight(line, "\n")) // as of say
	}
}
