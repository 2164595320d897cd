package host

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/controller/trim"
)

// carried are instances that all have one host.
type carried []types.NamespacedName

func (c carried) Hosts() []string                  { return []string{"node-a"} }
func (c carried) On(string) []types.NamespacedName { return c }

// trimming reads instances as the controller's cache has them.
type trimming struct{ client.Client }

func (c trimming) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := c.Client.Get(ctx, key, object, options...); err != nil {
		return err
	}
	if instance, ok := object.(*v1alpha1.DrasiInstance); ok {
		small, err := trim.Transform(instance.DeepCopy())
		if err != nil {
			return err
		}
		small.(*v1alpha1.DrasiInstance).DeepCopyInto(instance)
	}
	return nil
}

func TestALostInstanceIsWrittenOnceAndLosesNothingThatTheCacheDoesNotHave(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	object := &v1alpha1.DrasiInstance{}
	object.Namespace, object.Name, object.Generation = "shop", "orders", 3
	object.Spec.Platform, object.Spec.Version = v1alpha1.PlatformProcess, "0.2.2"
	object.Status.Host, object.Status.ComponentsReady, object.Status.ObservedGeneration = "node-a", "3/3", 3
	writes := 0
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(object).WithStatusSubresource(object).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			writes++
			return c.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	}).Build()
	cache := trimming{api}
	recorder := events.NewFakeRecorder(10)
	watch := &Watch{Client: cache, Live: api, Carried: carried{client.ObjectKeyFromObject(object)}, Recorder: recorder, Clock: clock.RealClock{}, After: LostAfter}
	writer := status.NewWriter(cache, recorder, clock.RealClock{}, v1alpha1.FieldOwnerController)
	for range 3 {
		if err := watch.lose(t.Context(), writer, "node-a"); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 {
		t.Errorf("%d writes", writes)
	}
	now := &v1alpha1.DrasiInstance{}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), now); err != nil {
		t.Fatal(err)
	}
	if ready := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Reason != v1alpha1.ReasonHostLost {
		t.Errorf("Ready is %+v", ready)
	}
	if now.Status.ComponentsReady != "3/3" || now.Spec.Version != "0.2.2" || len(now.Annotations) > 0 {
		t.Errorf("something was lost or added: %+v", now)
	}
}
