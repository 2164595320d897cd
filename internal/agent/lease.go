package agent

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=draas-agents,verbs=get;create;update

const (
	// heartbeatEvery is the time between two heartbeats.
	heartbeatEvery = 10 * time.Second
	// leaseSeconds is what the Lease says of its validity. The controller judges by its own clock.
	leaseSeconds = 40
)

// heartbeat renews the host's Lease, as a Runnable of the manager.
type heartbeat struct {
	client client.Client
	clock  clock.WithTicker
	host   string
}

// Start renews the Lease until ctx ends.
func (h *heartbeat) Start(ctx context.Context) error {
	ticker := h.clock.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		if err := h.beat(ctx); err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "Renewing the host's Lease failed", "host", h.host)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// beat renews the Lease once, or creates it.
func (h *heartbeat) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatEvery)
	defer cancel()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: h.host}
	err := h.client.Get(ctx, key, lease)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get the Lease: %w", err)
	}
	missing := err != nil
	now := metav1.NewMicroTime(h.clock.Now())
	lease.Namespace, lease.Name = key.Namespace, key.Name
	lease.Spec.HolderIdentity = ptr.To(h.host)
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(leaseSeconds))
	lease.Spec.RenewTime = &now
	if missing {
		return h.client.Create(ctx, lease)
	}
	return h.client.Update(ctx, lease)
}
