package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/draas-io/draas/hack/controlplane"
)

// part is a process of the product: the controller or an agent.
type part struct {
	name string
	args []string
	cmd  *exec.Cmd
	log  string
	// binary is what is run, the product's own where it is empty; env is added to the environment.
	binary string
	env    []string
}

// kubeconfig issues credentials of a ServiceAccount.
func kubeconfig(account string) string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config, err := controlplane.ServiceAccountConfig(ctx, world.admin, "draas-system", account, 24*time.Hour)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(world.dir, account+".kubeconfig")
	Expect(controlplane.WriteKubeconfig(file, config)).To(Succeed())
	return file
}

// startController starts a controller as its ServiceAccount.
func startController(name string, flags ...string) *part {
	GinkgoHelper()
	p := newController(name, flags...)
	p.start()
	return p
}

// newController prepares a controller without starting it.
func newController(name string, flags ...string) *part {
	GinkgoHelper()
	return &part{name: name, log: filepath.Join(world.dir, name+".log"), args: append([]string{
		"controller", "--kubeconfig", kubeconfig("draas-controller"), "--namespace", "draas-system",
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--log-level", "debug",
	}, flags...)}
}

// start runs the process, in a session of its own, and waits for its first line.
func (p *part) start() {
	GinkgoHelper()
	before := 0
	if found, err := os.Stat(p.log); err == nil {
		before = int(found.Size())
	}
	Expect(p.spawn()).To(Succeed())
	// Before its first line a process may not even have its handler of signals yet.
	Eventually(func() int { return len(p.output()) }).Should(BeNumerically(">", before), "%s says nothing", p.name)
}

// spawn runs the process, in a session of its own, and waits for nothing.
func (p *part) spawn() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	binary := p.binary
	if binary == "" {
		binary = world.manager
	}
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(append(os.Environ(), "DRAAS_TEST_CANARY=of-the-agent-not-of-servers"), p.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return errors.Join(p.cmd.Start(), log.Close())
}

// kill ends the process as a crash does.
func (p *part) kill() {
	GinkgoHelper()
	Expect(p.cmd.Process.Kill()).To(Succeed())
	_ = p.cmd.Wait() // it was killed: the error says so
	p.cmd = nil
}

// stop ends the process as an administrator does, and looks for races and panics in what it printed.
func (p *part) stop() {
	GinkgoHelper()
	if p.cmd != nil {
		Expect(p.cmd.Process.Signal(syscall.SIGTERM)).To(Succeed())
		ended := make(chan error, 1)
		go func(cmd *exec.Cmd) { ended <- cmd.Wait() }(p.cmd)
		select {
		case err := <-ended:
			Expect(err).NotTo(HaveOccurred(), p.tail())
		case <-time.After(patience):
			Expect(p.cmd.Process.Kill()).To(Succeed())
			Fail(fmt.Sprintf("%s did not end within %v:\n%s", p.name, patience, p.tail()))
		}
		p.cmd = nil
	}
	Expect(p.output()).NotTo(Or(ContainSubstring("DATA RACE"), ContainSubstring("panic:"), ContainSubstring("Observed a panic")), p.name)
}

func (p *part) output() string {
	GinkgoHelper()
	data, err := os.ReadFile(p.log)
	Expect(err).NotTo(HaveOccurred())
	return string(data)
}

// tail returns the last lines of the log.
func (p *part) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(data, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n")))
}
