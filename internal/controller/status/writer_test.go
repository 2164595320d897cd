package status

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/draas-io/draas/api/v1alpha1"
)

// saying is a status with a reason of Ready and the word on whether anything is left.
func saying(reason string, released metav1.ConditionStatus) v1alpha1.DrasiInstanceStatus {
	return v1alpha1.DrasiInstanceStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: "so it is", LastTransitionTime: metav1.NewTime(now)},
		{Type: v1alpha1.ConditionReleased, Status: released, Reason: reason, LastTransitionTime: metav1.NewTime(now)},
	}}
}

func TestProgressWaitsAndAnEndDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		next v1alpha1.DrasiInstanceStatus
		wait time.Duration
	}{
		"a start":            {saying(v1alpha1.ReasonStarting, metav1.ConditionFalse), quiet},
		"a stop":             {saying(v1alpha1.ReasonStopping, metav1.ConditionFalse), quiet},
		"nothing is left":    {saying(v1alpha1.ReasonStopping, metav1.ConditionTrue), Relist},
		"an invalid change":  {saying(v1alpha1.ReasonInvalidConfig, metav1.ConditionFalse), Relist},
		"a generation waits": {saying(v1alpha1.ReasonPaused, metav1.ConditionFalse), Relist},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			object := &v1alpha1.DrasiInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "1"}}
			c0 := fake.NewClientBuilder().WithScheme(scheme).WithObjects(object).WithStatusSubresource(object).Build()
			if err := c0.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
				t.Fatal(err)
			}
			writer := NewWriter(c0, events.NewFakeRecorder(10), testclock.NewFakePassiveClock(now), "test")
			result, err := writer.Write(t.Context(), object, c.next)
			if err != nil || result.RequeueAfter != c.wait {
				t.Errorf("look again after %v, %v", result.RequeueAfter, err)
			}
			stored := &v1alpha1.DrasiInstance{}
			if err := c0.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
				t.Fatal(err)
			}
			if written := len(stored.Status.Conditions) > 0; written != (c.wait == Relist) {
				t.Errorf("written is %v", written)
			}
		})
	}
}
