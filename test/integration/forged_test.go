package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
)

// bystander is a process that is nobody's server and writes down every signal that it gets.
type bystander struct {
	pid int
	log string
}

// newBystander starts one, in a session of its own as servers are. Signals that cannot be caught show by its state.
func newBystander() *bystander {
	GinkgoHelper()
	b := &bystander{log: filepath.Join(GinkgoT().TempDir(), "signals")}
	script := `for s in HUP INT QUIT USR1 USR2 PIPE ALRM TERM CONT TSTP TTIN TTOU WINCH; do trap "echo $s >> '` + b.log + `'" $s; done
echo ready >> '` + b.log + `'
while :; do read -r line; done`
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	b.pid = cmd.Process.Pid
	DeferCleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed: the error says so
		_ = input.Close()
	})
	Eventually(b.signals).Should(Equal("ready\n"))
	return b
}

func (b *bystander) signals() string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return ""
	}
	return string(text)
}

// untouched checks that it lives, is not stopped, and has got nothing.
func (b *bystander) untouched() {
	GinkgoHelper()
	Expect(b.signals()).To(Equal("ready\n"))
	Expect(statOf(b.pid)[0]).To(Equal("S"), "the state of the bystander")
}

// statOf are the fields of /proc/PID/stat from the state on.
func statOf(id int) []string {
	GinkgoHelper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	Expect(err).NotTo(HaveOccurred())
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.Fields(rest)
}

// startTime is when a process began, in the kernel's ticks.
func startTime(id int) uint64 {
	GinkgoHelper()
	ticks, err := strconv.ParseUint(statOf(id)[19], 10, 64)
	Expect(err).NotTo(HaveOccurred())
	return ticks
}

// forge changes the run in an instance's journal, and returns what was there.
func forge(h *host, instance *v1alpha1.DrasiInstance, change func(run map[string]any)) (before []byte) {
	GinkgoHelper()
	file := filepath.Join(h.stateDir, "instances", string(instance.UID), "journal.json")
	before, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	journal := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(before)))
	decoder.UseNumber()
	Expect(decoder.Decode(&journal)).To(Succeed())
	Expect(journal).To(HaveKey("run"))
	run := journal["run"].(map[string]any)
	Expect(run).To(And(HaveKey("pid"), HaveKey("startTime")))
	change(run)
	text, err := json.Marshal(journal)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	return before
}

var _ = Describe("A journal that is not true", func() {
	It("never has a foreign process signalled, is reported, and what it says is taken when it is mended", func(ctx SpecContext) {
		watch := observe()
		h := startHost(ctx)
		all := fleet(ctx, h, "forged", 2)
		for _, instance := range all {
			defer watch.watch(pid(instance), instance.Name)()
		}
		foreign := newBystander()
		h.kill()
		// The hardest case: everything is right but whose it is.
		before := forge(h, all[0], func(run map[string]any) { run["pid"], run["startTime"] = foreign.pid, startTime(foreign.pid) })
		h.start()
		var unknown *v1alpha1.DrasiInstance
		Eventually(func(g Gomega) {
			unknown = fetch(ctx, all[0])
			ready := condition(unknown, v1alpha1.ConditionReady)
			g.Expect(ready.Status).To(Equal(metav1.ConditionUnknown), describe(unknown))
			g.Expect(ready.Message).To(ContainSubstring(fmt.Sprintf("process %d", foreign.pid)))
		}).Should(Succeed(), "what is wrong is told, and by which process")
		lint(unknown)
		foreign.untouched()

		By("doing nothing on its word, whatever is asked for")
		change(ctx, all[0], func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
		Eventually(func() int64 { return fetch(ctx, all[0]).Status.ObservedGeneration }).Should(Equal(all[0].Generation))
		change(ctx, all[0], func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning })
		Eventually(func() int64 { return fetch(ctx, all[0]).Status.ObservedGeneration }).Should(Equal(all[0].Generation))
		foreign.untouched()
		Expect(pid(awaitRunning(ctx, all[1]))).To(Equal(pid(all[1])), "other instances are not concerned")

		By("taking the mended journal without a restart of the agent")
		Expect(os.WriteFile(filepath.Join(h.stateDir, "instances", string(all[0].UID), "journal.json"), before, 0o600)).To(Succeed())
		mended := awaitRunning(ctx, all[0])
		Expect(restarts(mended)).To(BeZero())
		Expect(starts(all[0].Name)).To(Equal(1))
		foreign.untouched()
	})

	It("does not take a process that has got the number of a dead server for the server", func(ctx SpecContext) {
		watch := observe()
		h := startHost(ctx)
		instance := fleet(ctx, h, "forged-reuse", 1)[0]
		foreign := newBystander()
		h.kill()
		crash(instance)
		forge(h, instance, func(run map[string]any) { run["pid"] = foreign.pid })
		h.start()
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(restarts(latest)).To(Equal(int32(1)), describe(latest))
			g.Expect(condition(latest, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue), describe(latest))
		}).Should(Succeed())
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
		await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		Expect(starts(instance.Name)).To(Equal(2))
		Expect(watch.of(string(instance.UID))).To(BeEmpty())
		foreign.untouched()
	})
})

var _ = Describe("A state directory", func() {
	It("has one agent at a time: a second refuses, and harms nothing", func(ctx SpecContext) {
		watch := observe()
		h := startHost(ctx)
		instance := fleet(ctx, h, "forged-second", 1)[0]
		defer watch.watch(pid(instance), instance.Name)()
		second := &part{name: "second", log: filepath.Join(world.dir, "forged-second.log"), args: append(slices.Clone(h.args), "--host", "second")}
		Expect(second.spawn()).To(Succeed())
		code, err := ended(ctx, second)
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(1))
		Expect(second.output()).To(And(ContainSubstring("belongs to another agent that runs"), ContainSubstring(strconv.Itoa(h.cmd.Process.Pid)), ContainSubstring(h.stateDir)))
		Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(instance)))
		Expect(starts(instance.Name)).To(Equal(1))
	})
})

// ended waits for the end of a process and returns its exit code.
func ended(ctx context.Context, p *part) (code int, err error) {
	result := make(chan error, 1)
	go func(cmd *exec.Cmd) { result <- cmd.Wait() }(p.cmd)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case err = <-result:
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		err = errors.Join(fmt.Errorf("%s does not end", p.name), <-result)
	}
	p.cmd = nil
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
