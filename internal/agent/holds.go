package agent

import (
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
)

// holds carries what the reaper holds to the one who writes the DrasiHost's status.
type holds struct {
	// changed has an element after what is held has changed.
	changed chan struct{}

	mu sync.Mutex
	// known says that the reaper has looked: before that the condition of an earlier agent stands.
	known     bool
	condition *metav1.Condition
}

func newHolds() *holds { return &holds{changed: make(chan struct{}, 1)} }

// set takes over what is held; nil: nothing is.
func (h *holds) set(condition *metav1.Condition) {
	h.mu.Lock()
	same := h.known && (condition == nil) == (h.condition == nil) && (condition == nil || *condition == *h.condition)
	h.known, h.condition = true, condition
	h.mu.Unlock()
	if same {
		return
	}
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// put brings the condition of a DrasiHost up to date.
func (h *holds) put(host *v1alpha1.DrasiHost) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.known:
	case h.condition == nil:
		meta.RemoveStatusCondition(&host.Status.Conditions, v1alpha1.ConditionOrphansHeld)
	default:
		condition := *h.condition
		condition.ObservedGeneration = host.Generation
		meta.SetStatusCondition(&host.Status.Conditions, condition)
	}
}
