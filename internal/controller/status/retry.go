package status

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	retryFirst = 5 * time.Millisecond
	retryMost  = 15 * time.Second
)

// RateLimiter is how soon a pass that failed is tried again. Its longest pause bounds for how long a status may be wrong after the API server, or
// a full disk, has come back.
func RateLimiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryMost)
}
