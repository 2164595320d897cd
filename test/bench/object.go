//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// sample is the object that all loads are made of.
const sample = "config/samples/draas_v1alpha1_drasiinstance.yaml"

// newInstance is the sample under another name, with a variable that has the simulated server record its starts.
func (w *world) newInstance(name string) (*v1alpha1.DrasiInstance, error) {
	text, err := os.ReadFile(filepath.Join(w.root, filepath.FromSlash(sample)))
	if err != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	instance := &v1alpha1.DrasiInstance{}
	if err := yaml.Unmarshal(text, instance); err != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	instance.Namespace, instance.Name = metav1.NamespaceDefault, name
	instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: recordVariable, Value: ptr.To(w.record.path)})
	return instance, nil
}

// isReady says that an object is Ready for its present generation.
func isReady(instance *v1alpha1.DrasiInstance) bool {
	return instance.Status.ObservedGeneration == instance.Generation && meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady)
}

// sizeOf is the length of an object's JSON.
func sizeOf(object any) int {
	text, err := json.Marshal(object)
	if err != nil {
		return 0
	}
	return len(text)
}

// deleteAll deletes all instances and waits until they are gone.
func (w *world) deleteAll(ctx context.Context) error {
	if err := w.client.DeleteAllOf(ctx, &v1alpha1.DrasiInstance{}, client.InNamespace(metav1.NamespaceDefault)); err != nil {
		return fmt.Errorf("delete all instances: %w", err)
	}
	return until(ctx, "all instances to be gone", func() (bool, error) {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DrasiInstanceList"))
		err := w.client.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault))
		return err == nil && len(list.Items) == 0, err
	})
}

// fill creates instances and waits until all are Ready. It returns them by name.
func (w *world) fill(ctx context.Context, prefix string, n int) (map[string]*v1alpha1.DrasiInstance, error) {
	eyes, err := w.watch(ctx)
	if err != nil {
		return nil, err
	}
	defer eyes.close()
	arrivals := eyes.all()
	if err := w.createMany(ctx, prefix, n); err != nil {
		return nil, err
	}
	ready := map[string]*v1alpha1.DrasiInstance{}
	for len(ready) < n {
		seen, err := eyes.next(ctx, arrivals)
		if err != nil {
			return nil, fmt.Errorf("wait until %d instances are Ready, %d are: %w", n, len(ready), err)
		}
		if strings.HasPrefix(seen.object.Name, prefix) && isReady(seen.object) {
			ready[seen.object.Name] = seen.object
		}
	}
	return ready, nil
}

// createMany creates instances at once.
func (w *world) createMany(ctx context.Context, prefix string, n int) error {
	return parallel(n, creators, func(i int) error {
		instance, err := w.newInstance(fmt.Sprintf("%s-%d", prefix, i))
		if err != nil {
			return err
		}
		return w.client.Create(ctx, instance)
	})
}

// creators is how many requests the harness sends at a time.
const creators = 16

// parallel calls f for 0 to n-1, at most width at a time.
func parallel(n, width int, f func(int) error) error {
	numbers, failed := make(chan int), make(chan error, n)
	for range width {
		go func() {
			for i := range numbers {
				failed <- f(i)
			}
		}()
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	errs := make([]error, 0, n)
	for range n {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// sizeOfAny is the length of the JSON of one of the instances that are there, in bytes.
func (w *world) sizeOfAny(ctx context.Context) int {
	var list v1alpha1.DrasiInstanceList
	if err := w.client.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault), client.Limit(1)); err != nil || len(list.Items) == 0 {
		return 0
	}
	return sizeOf(&list.Items[0])
}
