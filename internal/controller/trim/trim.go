// Package trim keeps the controller's cache small. Of a DrasiInstance that is placed the controller needs little: where it is, what it claims
// there, whether it is being deleted and what its host says. Everything else is left out of the cache, and read from the API server itself where
// it is needed after all.
package trim

import (
	"encoding/json"
	"fmt"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/platform"
)

// claimsAnnotation is on every trimmed object, and on no object of the API server's: what the instance claims on its host.
const claimsAnnotation = "internal.draas.io/claims"

// lastApplied is what kubectl keeps of an object in the object itself.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Transform is the cache's transform of every object: what nothing of ours reads is left out. It may be called again with its own result.
func Transform(object any) (any, error) {
	if instance, ok := object.(*v1alpha1.DrasiInstance); ok && instance.Status.Host != "" {
		if Trimmed(instance) {
			return instance, nil
		}
		return placed(instance)
	}
	if object, ok := object.(client.Object); ok {
		object.SetManagedFields(nil)
		if annotations := object.GetAnnotations(); annotations[lastApplied] != "" {
			delete(annotations, lastApplied)
			object.SetAnnotations(annotations)
		}
	}
	return object, nil
}

// Trimmed says that an object is not the whole one: it must not be taken for what the user wrote, and none of its status but the host be used.
// Whoever writes the annotation himself is not believed: an object that he wrote has a version, which the schema requires.
func Trimmed(object *v1alpha1.DrasiInstance) bool {
	_, there := object.Annotations[claimsAnnotation]
	return there && object.Spec.Version == ""
}

// Claims are the listeners that an instance claims on its host, of a trimmed object or of a whole one.
func Claims(object *v1alpha1.DrasiInstance) ([]platform.Listener, error) {
	if !Trimmed(object) {
		return Of(instance.Listeners(instance.PlanOf(object))), nil
	}
	var claims []platform.Listener
	if err := json.Unmarshal([]byte(object.Annotations[claimsAnnotation]), &claims); err != nil {
		return nil, fmt.Errorf("read the claims of a trimmed object: %w", err)
	}
	return claims, nil
}

// Of reduces listeners to what clashes are found by, and told with.
func Of(listeners []platform.Listener) []platform.Listener {
	var claims []platform.Listener
	for _, l := range listeners {
		claims = append(claims, platform.Listener{Component: l.Component, Address: l.Address, Port: l.Port})
	}
	return claims
}

// placed trims a placed instance.
func placed(whole *v1alpha1.DrasiInstance) (*v1alpha1.DrasiInstance, error) {
	claims, err := Claims(whole)
	if err != nil {
		return nil, err
	}
	text := []byte("[]")
	if len(claims) > 0 {
		if text, err = json.Marshal(claims); err != nil {
			return nil, fmt.Errorf("write the claims of an instance down: %w", err)
		}
	}
	small := &v1alpha1.DrasiInstance{
		TypeMeta: whole.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: whole.Name, Namespace: shared(whole.Namespace), UID: whole.UID, ResourceVersion: whole.ResourceVersion, Generation: whole.Generation,
			DeletionTimestamp: whole.DeletionTimestamp, Annotations: map[string]string{claimsAnnotation: shared(string(text))},
		},
	}
	for _, finalizer := range whole.Finalizers {
		small.Finalizers = append(small.Finalizers, shared(finalizer))
	}
	if value, paused := whole.Annotations[v1alpha1.AnnotationPaused]; paused {
		small.Annotations[v1alpha1.AnnotationPaused] = value
	}
	small.Spec.Platform = v1alpha1.Platform(shared(string(whole.Spec.Platform)))
	small.Status.Host, small.Status.ObservedGeneration = shared(whole.Status.Host), whole.Status.ObservedGeneration
	for i := range whole.Status.Conditions {
		c := &whole.Status.Conditions[i]
		if c.Type == v1alpha1.ConditionLive || c.Type == v1alpha1.ConditionReleased {
			small.Status.Conditions = append(small.Status.Conditions, metav1.Condition{
				Type: shared(c.Type), Status: metav1.ConditionStatus(shared(string(c.Status))), Reason: shared(c.Reason), ObservedGeneration: c.ObservedGeneration,
			})
		}
	}
	return small, nil
}

// shared returns a text that is kept once, however many objects have it.
func shared(text string) string { return unique.Make(text).Value() }
