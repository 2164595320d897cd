package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/draas-io/draas/api/v1alpha1"
)

const (
	// observeEvery is the pause between two looks of the observer.
	observeEvery = 3 * time.Millisecond
	// observeEnds says at which looks the ends of servers are looked for: to miss one for a while hides nothing, since a second server shows at its begin.
	observeEnds = 8
	// settledAfter is how long a process is looked at until it is taken for granted that it does not become a server any more.
	settledAfter = 10 * time.Second
)

// observer looks at /proc all the time and knows nothing of what the agents say. It holds that an instance never has two servers, and that the
// servers that it was told to watch live.
type observer struct {
	mu sync.Mutex
	// others are processes that are no servers, with when they were first seen; servers are the others, by process id.
	others  map[int]time.Time
	servers map[int]string
	// watched must live; the text says whose they are.
	watched  map[int]string
	findings []string
	looks    int
	// most is how many servers were seen at a time.
	most int
}

// observe starts an observer of all servers of the suite that ends with the spec, which then fails if there were findings.
func observe() *observer {
	o := &observer{others: map[int]time.Time{}, servers: map[int]string{}, watched: map[int]string{}}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(observeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				o.look()
			}
		}
	}()
	DeferCleanup(func() {
		end()
		<-ended
		AddReportEntry(fmt.Sprintf("the observer looked %d times and saw up to %d servers at a time", o.looks, o.most))
		o.check()
	})
	return o
}

// check fails if there were findings.
func (o *observer) check() {
	GinkgoHelper()
	o.mu.Lock()
	defer o.mu.Unlock()
	Expect(o.findings).To(BeEmpty(), strings.Join(o.findings, "\n"))
}

// watch has a server watched until the returned function is called.
func (o *observer) watch(id int, whose string) (release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched[id] = whose
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.watched, id)
	}
}

// of are the living servers of an instance.
func (o *observer) of(uid string) (found []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, owner := range o.servers {
		if owner == uid && alive(id) {
			found = append(found, id)
		}
	}
	return found
}

// look takes one look.
func (o *observer) look() {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close()
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looks++
	present := make(map[int]bool, len(names))
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil {
			present[id] = true
			o.classify(id)
		}
	}
	for id := range o.others {
		if !present[id] {
			delete(o.others, id)
		}
	}
	if o.looks%observeEnds == 0 {
		o.lookForEnds()
	}
}

// lookForEnds finds out which servers have ended.
func (o *observer) lookForEnds() {
	for id := range o.servers {
		if !alive(id) {
			delete(o.servers, id)
		}
	}
	o.most = max(o.most, len(o.servers))
	for id, whose := range o.watched {
		if !alive(id) {
			o.find("the server %d of %s is dead", id, whose)
			delete(o.watched, id)
		}
	}
}

// classify finds out whether a process is a server. A process can become one later, by exec.
func (o *observer) classify(id int) {
	if _, known := o.servers[id]; known {
		return
	}
	first, known := o.others[id]
	if !known {
		first = time.Now()
		o.others[id] = first
	}
	if known && time.Since(first) > settledAfter {
		return
	}
	uid := serverOf(id)
	if uid == "" {
		return
	}
	parent := parentOf(id)
	for other, owner := range o.servers {
		if owner != uid {
			continue
		}
		if parent == other {
			return // a child between fork and exec still has its parent's command line
		}
		// It was seen before: only if it lives now, after the new one was seen, there are two.
		if alive(other) && alive(id) {
			o.find("the instance %s has two servers, %d and %d", uid, other, id)
		}
	}
	delete(o.others, id)
	o.servers[id] = uid
}

func (o *observer) find(format string, args ...any) {
	if len(o.findings) < 100 {
		o.findings = append(o.findings, fmt.Sprintf(format, args...))
	}
}

// serverOf tells by its command line whether a living process is a server, and which instance's; "" if it is none.
func serverOf(id int) (uid string) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
	if err != nil {
		return ""
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	for i, arg := range args[:len(args)-1] {
		config := args[i+1]
		if arg == "--config" && strings.HasPrefix(config, world.dir+"/") && strings.HasSuffix(config, "/config/server.json") && alive(id) {
			return filepath.Base(filepath.Dir(filepath.Dir(config)))
		}
	}
	return ""
}

// parentOf is the process id of a process's parent; 0 if it is gone.
func parentOf(id int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// remains lists the processes that work in a directory, or have their output there, although the directory may be gone by now.
func remains(dir string) (found []int) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	Expect(err).NotTo(HaveOccurred())
	for _, link := range links {
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil || !alive(id) {
			continue
		}
		for _, at := range []string{"cwd", "fd/1", "fd/2"} {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", id, at)); err == nil && strings.HasPrefix(target, dir+"/instances/") {
				found = append(found, id)
				break
			}
		}
	}
	return found
}

// followCounts holds that no instance's count of restarts and no observed generation ever falls.
func (o *observer) followCounts() {
	GinkgoHelper()
	ctx, end := context.WithCancel(context.Background())
	watch, err := world.client.Watch(ctx, &v1alpha1.DrasiInstanceList{})
	Expect(err).NotTo(HaveOccurred())
	ended := make(chan struct{})
	DeferCleanup(func() {
		end()
		watch.Stop()
		<-ended
	})
	go func() {
		defer close(ended)
		type counts struct {
			restarts   int32
			generation int64
		}
		last := map[string]counts{}
		for event := range watch.ResultChan() {
			instance, ok := event.Object.(*v1alpha1.DrasiInstance)
			if !ok {
				continue
			}
			if instance.Status.Restarts == nil {
				continue // not placed yet, or nothing is left of it
			}
			now := counts{restarts(instance), instance.Status.ObservedGeneration}
			before, known := last[string(instance.UID)]
			o.mu.Lock()
			if known && (now.restarts < before.restarts || now.generation < before.generation) {
				o.find("%s went from %+v to %+v", instance.Name, before, now)
			}
			o.mu.Unlock()
			last[string(instance.UID)] = now
		}
	}()
}
