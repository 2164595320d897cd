package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// needsMounts skips a spec, loudly, where nothing may be mounted.
func needsMounts() {
	GinkgoHelper()
	if os.Geteuid() != 0 {
		Skip("only root can mount file systems: full and read-only disks are not shown here")
	}
}

// smallDisk is a host whose state directory is a file system of its own of so many bytes.
func smallDisk(ctx context.Context, size int) *host {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	Expect(syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+strconv.Itoa(size))).To(Succeed())
	DeferCleanup(func() { Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	h := newHost("--state-dir", dir)
	h.stateDir = dir
	h.start()
	h.ready(ctx)
	return h
}

// fill takes all that is left of a file system, and returns what gives it back.
func fill(dir string) (free func()) {
	GinkgoHelper()
	path := filepath.Join(dir, "ballast")
	file, err := os.Create(path)
	Expect(err).NotTo(HaveOccurred())
	_, err = io.Copy(file, endless{})
	Expect(errors.Is(err, syscall.ENOSPC)).To(BeTrue(), "%v", err)
	Expect(file.Close()).To(Succeed())
	return func() { Expect(os.Remove(path)).To(Succeed()) }
}

// endless is zeros without end.
type endless struct{}

// Read fills p with zeros.
func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// reported waits until an instance is not Ready and says why.
func reported(ctx context.Context, instance *v1alpha1.DrasiInstance, words string) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	var latest *v1alpha1.DrasiInstance
	Eventually(func(g Gomega) {
		latest = fetch(ctx, instance)
		g.Expect(latest.Status.ObservedGeneration).To(Equal(latest.Generation), describe(latest))
		ready := condition(latest, v1alpha1.ConditionReady)
		g.Expect(ready.Status).NotTo(Equal(metav1.ConditionTrue), describe(latest))
		g.Expect(ready.Message).To(ContainSubstring(words), describe(latest))
	}).Should(Succeed())
	lint(latest)
	return latest
}

// hostReady waits until the host's Ready is as told.
func (h *host) hostReady(ctx context.Context, status metav1.ConditionStatus, words string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		object := &v1alpha1.DrasiHost{}
		g.Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready.Status).To(Equal(status), "%+v", object.Status)
		g.Expect(ready.Message).To(ContainSubstring(words), "%+v", object.Status)
	}).Should(Succeed())
}

// restarted waits until an instance runs again after so many restarts.
func restarted(ctx context.Context, instance *v1alpha1.DrasiInstance, count int32) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		latest := fetch(ctx, instance)
		g.Expect(restarts(latest)).To(Equal(count), describe(latest))
		g.Expect(condition(latest, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue), describe(latest))
	}).Should(Succeed())
}

var _ = Describe("Faults of a host", func() {
	It("a full disk: reported, costs no server its life, and is recovered from", func(ctx SpecContext) {
		needsMounts()
		watch := observe()
		h := smallDisk(ctx, 8<<20)
		all := fleet(ctx, h, "disk-full", 3)
		release := watch.watch(pid(all[2]), all[2].Name)
		changed := watch.watch(pid(all[0]), all[0].Name)
		free := fill(h.stateDir)

		change(ctx, all[0], func(i *v1alpha1.DrasiInstance) { i.Spec.RestartToken = "another" })
		held := reported(ctx, all[0], "no space left on device")
		Expect(condition(held, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue), "what runs, runs on")
		Expect(pid(held)).To(Equal(pid(all[0])))
		crash(all[1])
		reported(ctx, all[1], "no space left on device")
		late := newInstance("disk-full-late", h, simple)
		create(ctx, late)
		reported(ctx, late, "no space left on device")

		By("adopting on a full disk")
		h.kill()
		h.start()
		Eventually(h.output).Should(ContainSubstring("no space left on device"))
		watch.check()

		By("giving the disk back")
		changed()
		free()
		awaitRunning(ctx, all[0])
		restarted(ctx, all[1], 1)
		awaitRunning(ctx, late)
		Expect(pid(awaitRunning(ctx, all[2]))).To(Equal(pid(all[2])))
		Expect([]int{starts(all[0].Name), starts(all[1].Name), starts(all[2].Name), starts(late.Name)}).To(Equal([]int{2, 2, 1, 1}))
		release()
	})

	It("a read-only state directory: reported, costs no server its life, and is recovered from", func(ctx SpecContext) {
		needsMounts()
		watch := observe()
		h := smallDisk(ctx, 8<<20)
		all := fleet(ctx, h, "disk-read-only", 2)
		release := watch.watch(pid(all[1]), all[1].Name)
		// A file system with open files cannot be made read-only; a view of it above it can.
		Expect(syscall.Mount(h.stateDir, h.stateDir, "", syscall.MS_BIND, "")).To(Succeed())
		Expect(syscall.Mount("", h.stateDir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")).To(Succeed())
		sealed := true
		writable := func() {
			if sealed {
				Expect(syscall.Unmount(h.stateDir, syscall.MNT_DETACH)).To(Succeed())
			}
			sealed = false
		}
		DeferCleanup(writable)
		crash(all[0])
		reported(ctx, all[0], "read-only file system")
		h.hostReady(ctx, metav1.ConditionFalse, "cannot be written to")

		By("adopting what runs there")
		h.kill()
		beat := lease(ctx, h)
		h.start()
		Eventually(func() string { return lease(ctx, h) }).ShouldNot(Equal(beat), "the agent is back")
		h.hostReady(ctx, metav1.ConditionFalse, "cannot be written to")
		watch.check()

		By("making it writable")
		writable()
		h.hostReady(ctx, metav1.ConditionTrue, "")
		restarted(ctx, all[0], 1)
		Expect(pid(awaitRunning(ctx, all[1]))).To(Equal(pid(all[1])))
		Expect([]int{starts(all[0].Name), starts(all[1].Name)}).To(Equal([]int{2, 1}))
		release()
	})

	It("a removed executable: reported, costs no server its life, and is recovered from", func(ctx SpecContext) {
		watch := observe()
		dir := GinkgoT().TempDir()
		Expect(os.Chmod(dir, 0o755)).To(Succeed())
		path := filepath.Join(dir, "drasi-server")
		Expect(os.Link(world.server, path)).To(Succeed())
		h := startHost(ctx, "--drasi-server", path)
		all := fleet(ctx, h, "disk-executable", 2)
		release := watch.watch(pid(all[1]), all[1].Name)
		Expect(os.Rename(path, path+".away")).To(Succeed())
		crash(all[0])
		reported(ctx, all[0], path)
		h.hostReady(ctx, metav1.ConditionFalse, path)
		Expect(os.Rename(path+".away", path)).To(Succeed())
		h.hostReady(ctx, metav1.ConditionTrue, "")
		restarted(ctx, all[0], 1)
		Expect(pid(awaitRunning(ctx, all[1]))).To(Equal(pid(all[1])))
		Expect(starts(all[0].Name)).To(Equal(2))
		release()
	})

	It("a flood of output: stays within bounds and blocks nobody", Serial, Label("flood"), func(ctx SpecContext) {
		flood := setting("DRAAS_FLOOD_BYTES", 1<<30)
		watch := observe()
		h := startHost(ctx)
		quiet := fleet(ctx, h, "disk-flood-quiet", 1)[0]
		release := watch.watch(pid(quiet), quiet.Name)
		most, end := peak(filepath.Join(h.stateDir, "instances"))
		began := time.Now()
		loud := newInstance("disk-flood", h, simple)
		loud.Spec.Env = append(loud.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_FLOOD_STDOUT_BYTES", Value: ptr.To(strconv.Itoa(flood))})
		create(ctx, loud)
		running := awaitRunning(ctx, loud)
		var health map[string]any
		for written(pid(running)) < flood {
			ask(ctx, running, "/health", &health)
			ask(ctx, quiet, "/health", &health)
		}
		took := time.Since(began)
		change(ctx, quiet, func(i *v1alpha1.DrasiInstance) { i.Spec.StartupDeadlineSeconds = 77 })
		Expect(pid(awaitRunning(ctx, quiet))).To(Equal(pid(quiet)))
		end()
		AddReportEntry(fmt.Sprintf("%d bytes of output in %v, at most %d of them on disk", flood, took.Round(time.Millisecond), most.Load()))
		// How fast it is cut is for the machine to say: a rotator with priority, too, waits while a hypervisor gives its processor to others.
		Expect(most.Load()).To(BeNumerically("<", flood/2), "it is cut while it grows")
		Eventually(func() int64 { return sizeBelow(filepath.Join(h.stateDir, "instances")) }).Should(BeNumerically("<", 17<<20), "twice the limit, and what else there is")
		Expect(starts(loud.Name)).To(Equal(1))
		release()
	})
})

// written is how many bytes a process has written, to whatever.
func written(id int) int {
	GinkgoHelper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", id))
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(data)) {
		if count, ok := strings.CutPrefix(line, "wchar: "); ok {
			bytes, err := strconv.Atoi(strings.TrimSpace(count))
			Expect(err).NotTo(HaveOccurred())
			return bytes
		}
	}
	Fail("no wchar in /proc/PID/io")
	return 0
}

// peak measures the largest size that a directory has until end is called.
func peak(dir string) (most *atomic.Int64, end func()) {
	most = &atomic.Int64{}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				most.Store(max(most.Load(), sizeBelow(dir)))
			}
		}
	}()
	return most, func() {
		close(stop)
		<-stopped
	}
}

// sizeBelow is how many bytes the files below a directory have.
func sizeBelow(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it was removed meanwhile
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
