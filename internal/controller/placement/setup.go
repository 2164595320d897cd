package placement

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
)

// The controller's rights.
//
// +kubebuilder:rbac:groups=draas.io,resources=drasiinstances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=draas.io,resources=drasiinstances/status,verbs=patch
// +kubebuilder:rbac:groups=draas.io,resources=drasihosts,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// passTimeout bounds one pass.
const passTimeout = time.Minute

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	informer, err := manager.GetCache().GetInformer(ctx, &v1alpha1.DrasiInstance{})
	if err != nil {
		return fmt.Errorf("get the informer of instances: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { r.observe(object) },
		UpdateFunc: func(_, object any) { r.observe(object) },
		DeleteFunc: func(object any) { r.forget(object) },
	})
	if err != nil {
		return fmt.Errorf("watch instances: %w", err)
	}
	return builder.ControllerManagedBy(manager).
		Named("placement").
		For(&v1alpha1.DrasiInstance{}).
		Watches(&v1alpha1.DrasiHost{}, handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
			r.wakeWaiting()
			return nil
		})).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.enqueue = func(key types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: key}) }
			return nil
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 1, ReconciliationTimeout: passTimeout, RateLimiter: status.RateLimiter(),
			SkipNameValidation: ptr.To(true), // a test runs several controllers within one process, one after another
		}).
		Complete(reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			if !registration.HasSynced() {
				return ctrl.Result{RequeueAfter: 10 * time.Millisecond}, nil
			}
			return r.Reconcile(ctx, request)
		}))
}

func (r *Reconciler) observe(object any) {
	if instance, ok := object.(*v1alpha1.DrasiInstance); ok {
		r.index.observe(instance)
	}
}

func (r *Reconciler) forget(object any) {
	if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	if instance, ok := object.(*v1alpha1.DrasiInstance); ok {
		r.index.forget(client.ObjectKeyFromObject(instance))
	}
}
