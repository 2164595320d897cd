package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// life is an instance that is led through its life, with what was seen of it. It returns errors, so that several can be led at a time.
type life struct {
	h        *host
	instance *v1alpha1.DrasiInstance
	latest   *v1alpha1.DrasiInstance
	seen     []string
}

// newLife prepares an instance that passes every effect: its server has a child that ignores signals, in the end ignores them itself, and its data
// are retained.
func newLife(name string, h *host) *life {
	instance := newInstance(name, h, "stateStore: {kind: redb, path: store/state.redb}\n"+simple)
	instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_CHILDREN", Value: ptr.To("1")})
	instance.Spec.Storage = &v1alpha1.Storage{Type: v1alpha1.StorageEphemeral, OnDelete: "Retain"}
	return &life{h: h, instance: instance}
}

// whole leads the instance through everything that the agent has effects or writes for.
func (l *life) whole(ctx context.Context) error {
	steps := []func(context.Context) error{
		l.create,
		l.settled("created", metav1.ConditionTrue, v1alpha1.ReasonRunning, 0),
		l.change(func(i *v1alpha1.DrasiInstance) { i.Spec.Config.LogLevel = v1alpha1.TextValue("warn") }),
		l.settled("changed", metav1.ConditionTrue, v1alpha1.ReasonRunning, 0),
		l.crash,
		l.settled("crashed", metav1.ConditionTrue, v1alpha1.ReasonRunning, 1),
		l.change(func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped }),
		l.settled("stopped", metav1.ConditionTrue, v1alpha1.ReasonStopped, 1),
		l.change(func(i *v1alpha1.DrasiInstance) {
			i.Spec.State, i.Spec.TerminationGracePeriodSeconds = v1alpha1.StateRunning, 1
			i.Spec.Env = append(i.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_IGNORE_SIGINT", Value: ptr.To("1")})
		}),
		l.settled("started", metav1.ConditionTrue, v1alpha1.ReasonRunning, 1),
		l.remove,
	}
	return inTurn(ctx, steps)
}

// placed leads the instance through everything that the controller has writes for.
func (l *life) placed(ctx context.Context) error {
	l.instance.Spec.State = v1alpha1.StateStopped
	steps := []func(context.Context) error{
		l.create,
		l.settled("created", metav1.ConditionTrue, v1alpha1.ReasonStopped, 0),
		l.change(func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning }),
		l.settled("started", metav1.ConditionTrue, v1alpha1.ReasonRunning, 0),
		l.remove,
	}
	return inTurn(ctx, steps)
}

func inTurn(ctx context.Context, steps []func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) create(ctx context.Context) error { return world.client.Create(ctx, l.instance) }

func (l *life) change(mutate func(*v1alpha1.DrasiInstance)) func(context.Context) error {
	return func(ctx context.Context) error {
		return until(ctx, "change the spec", func() error {
			latest := &v1alpha1.DrasiInstance{}
			if err := world.client.Get(ctx, client.ObjectKeyFromObject(l.instance), latest); err != nil {
				return err
			}
			old := latest.DeepCopy()
			mutate(latest)
			return world.client.Patch(ctx, latest, client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{}))
		})
	}
}

// crash kills the server as nobody of ours would.
func (l *life) crash(context.Context) error {
	return syscall.Kill(int(l.latest.Status.Runtime.Process.PID), syscall.SIGKILL)
}

// settled waits until Ready is as told and writes down what is seen then.
func (l *life) settled(step string, ready metav1.ConditionStatus, reason string, restarts int32) func(context.Context) error {
	return func(ctx context.Context) error {
		err := until(ctx, step, func() error {
			latest := &v1alpha1.DrasiInstance{}
			if err := world.client.Get(ctx, client.ObjectKeyFromObject(l.instance), latest); err != nil {
				return err
			}
			l.latest = latest
			c := condition(latest, v1alpha1.ConditionReady)
			if latest.Status.ObservedGeneration != latest.Generation || c.Status != ready || c.Reason != reason || ptr.Deref(latest.Status.Restarts, 0) != restarts {
				text, _ := yaml.Marshal(latest.Status)
				return fmt.Errorf("the status is\n%s", text)
			}
			return nil
		})
		if err != nil {
			return err
		}
		text, err := l.masked()
		l.seen = append(l.seen, fmt.Sprintf("%s, %d starts: %s", step, starts(l.instance.Name), text))
		return err
	}
}

// masked is the object without what differs from one run to the next.
func (l *life) masked() (string, error) {
	masked := l.latest.Status.DeepCopy()
	if masked.Host != "" {
		masked.Host = "HOST"
	}
	if masked.StartedAt != nil {
		masked.StartedAt = &metav1.Time{}
	}
	if masked.LastTermination != nil {
		// Who was not there when it happened may not be told how.
		masked.LastTermination = &v1alpha1.Termination{Reason: "SOME"}
	}
	if masked.Runtime != nil && masked.Runtime.Process != nil {
		masked.Runtime.Process = &v1alpha1.ProcessRuntime{}
	}
	for i := range masked.Endpoints {
		masked.Endpoints[i].Port, masked.Endpoints[i].URL = 1, "URL"
	}
	for i := range masked.Conditions {
		masked.Conditions[i].LastTransitionTime = metav1.Time{}
	}
	text, err := yaml.Marshal(map[string]any{"finalizers": l.latest.Finalizers, "generation": l.latest.Generation, "status": masked})
	return strings.NewReplacer(l.instance.Name, "NAME", l.h.name, "HOST").Replace(string(text)), err
}

// remove deletes the instance and waits until nothing of it is left but its retained data, which it removes.
func (l *life) remove(ctx context.Context) error {
	if err := world.client.Delete(ctx, l.instance); err != nil {
		return err
	}
	err := until(ctx, "delete", func() error {
		err := world.client.Get(ctx, client.ObjectKeyFromObject(l.instance), &v1alpha1.DrasiInstance{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("the object is still there"))
	})
	if err != nil {
		return err
	}
	retained, err := filepath.Glob(filepath.Join(l.h.stateDir, "retained", "*"))
	if err != nil {
		return err
	}
	l.seen = append(l.seen, fmt.Sprintf("removed, %d starts, %d retained", starts(l.instance.Name), len(retained)))
	for _, dir := range retained {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return l.nothingLeft()
}

// nothingLeft looks for a process, a directory, a port and a cgroup of the instance.
func (l *life) nothingLeft() error {
	if found := l.h.directories(); len(found) > 0 {
		return fmt.Errorf("directories are left: %v", found)
	}
	if found := remains(l.h.stateDir); len(found) > 0 {
		return fmt.Errorf("processes are left: %v", found)
	}
	if found := cgroups(string(l.instance.UID)); len(found) > 0 {
		return fmt.Errorf("cgroups are left: %v", found)
	}
	for _, e := range l.latest.Status.Endpoints {
		at, err := url.Parse(e.URL)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", at.Host)
		if err != nil {
			return fmt.Errorf("the port is still taken: %w", err)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// cgroups lists the cgroups that have an instance's UID in their name, in whatever hierarchy.
func cgroups(uid string) (found []string) {
	// A hierarchy may be mounted at the root or one below, and the agent's parent is there or below a delegated one.
	for _, pattern := range []string{"*", "*/*", "*/*/*", "*/*/*/*", "*/*/*/*/*"} {
		matches, err := filepath.Glob("/sys/fs/cgroup/" + pattern + uid + "*")
		if err == nil {
			found = append(found, matches...)
		}
	}
	return found
}
