package trial

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	hostName         = "node-a"
	instanceName     = "hello"
	defaultNamespace = "default"
	pollInterval     = 250 * time.Millisecond
	// patience is long: the machine may be emulated, on a busy one.
	patience = 3 * time.Minute
)

func resource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "draas.io", Version: "v1alpha1", Resource: plural}
}

func (w *world) host(ctx context.Context) (*unstructured.Unstructured, error) {
	return w.objects.Resource(resource("drasihosts")).Get(ctx, hostName, metav1.GetOptions{})
}

func (w *world) instance(ctx context.Context) (*unstructured.Unstructured, error) {
	return w.objects.Resource(resource("drasiinstances")).Namespace(defaultNamespace).Get(ctx, instanceName, metav1.GetOptions{})
}

// limit gives the sample limits, to see that they are kept.
func (w *world) limit(ctx context.Context) error {
	return w.administrator(ctx, fmt.Sprintf(`kubectl patch drasiinstance %s --type merge -p '{"spec":{"resources":{"limits":{"memory":"256Mi","cpu":"500m"}}}}'`, instanceName))
}

// ready tells whether a condition Ready is True, and in words what it is.
func ready(object *unstructured.Unstructured) (bool, string) {
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return false, err.Error()
	}
	for _, entry := range conditions {
		if c, ok := entry.(map[string]any); ok && c["type"] == "Ready" {
			return c["status"] == "True", fmt.Sprintf("Ready=%v %v: %v", c["status"], c["reason"], c["message"])
		}
	}
	return false, "it has no condition Ready yet"
}

// run is one run of the instance's server.
type run struct {
	pid     int64
	started string
}

// runOf is the run in the status, the zero value where none is.
func runOf(instance *unstructured.Unstructured) run {
	var r run
	// A field that is not there, or not what it should be, is no run.
	r.pid, _, _ = unstructured.NestedInt64(instance.Object, "status", "runtime", "process", "pid")
	r.started, _, _ = unstructured.NestedString(instance.Object, "status", "startedAt")
	return r
}

// until asks until the answer is good.
func until(ctx context.Context, what string, ask func(context.Context) (done bool, news string, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	news := ""
	for {
		done, now, err := ask(ctx)
		if done {
			return nil
		}
		if ctx.Err() == nil {
			if news = now; err != nil {
				news = err.Error()
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; seen last: %s", what, context.Cause(ctx), news)
		case <-tick.C:
		}
	}
}

func (w *world) untilHostReady(ctx context.Context) error {
	return until(ctx, "DrasiHost "+hostName+" becomes Ready", func(ctx context.Context) (bool, string, error) {
		object, err := w.host(ctx)
		if err != nil {
			return false, "", err
		}
		done, news := ready(object)
		return done, news, nil
	})
}

// untilInstanceReady waits for a run that is not the given one.
func (w *world) untilInstanceReady(ctx context.Context, other run) (*unstructured.Unstructured, error) {
	var object *unstructured.Unstructured
	err := until(ctx, "DrasiInstance "+instanceName+" becomes Ready", func(ctx context.Context) (bool, string, error) {
		var err error
		if object, err = w.instance(ctx); err != nil {
			return false, "", err
		}
		done, news := ready(object)
		observed, _, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
		now := runOf(object)
		return done && observed == object.GetGeneration() && now.pid != 0 && now != other, news, err
	})
	return object, err
}
