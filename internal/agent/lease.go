package agent

import (
	"context"
	"errors"
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

// errServedElsewhere says that another machine's agent has this host's name.
var errServedElsewhere = errors.New("another agent serves a host of this name")

// heartbeat renews the host's Lease, as a Runnable of the manager.
type heartbeat struct {
	client client.Client
	clock  clock.WithTicker
	host   string
	// identity is this machine's.
	identity *identity
	pulse    *pulse
	// confirm asks the API server whether it is still that of the state directory's cluster.
	confirm func(context.Context) error
}

// confirmEvery is how many heartbeats go by between two questions whether the API server is still the right cluster's. Each new connection asks
// too; this is for a cluster that is swapped behind a proxy that keeps its connections.
const confirmEvery = 6

// Start renews the Lease until ctx ends, or until another machine's agent is found to hold it, or the API server to be another cluster's, or the
// credentials to be none any more: a token that stands in a kubeconfig is read with it, and whoever connects anew reads the file again.
func (h *heartbeat) Start(ctx context.Context) error {
	ticker := h.clock.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for beats := 1; ; beats++ {
		var err error
		if beats%confirmEvery == 0 {
			err = h.ask(ctx)
		}
		if err == nil {
			err = h.beat(ctx)
		}
		if errors.Is(err, errServedElsewhere) || errors.Is(err, errOtherCluster) || apierrors.IsUnauthorized(err) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "Renewing the host's Lease failed", "host", h.host)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// acquire makes sure that no other machine's agent serves a host of this name before anything is done for it: at most one server of an instance
// may run. A Lease of another holder is taken over once it has stood still for as long as the controller waits for it.
func (h *heartbeat) acquire(ctx context.Context) error {
	began, version := h.clock.Now(), ""
	ticker := h.clock.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		lease, err := h.get(ctx)
		switch {
		case err != nil:
			return err
		case lease == nil || h.mine(lease) || h.clock.Since(began) > leaseSeconds*time.Second:
			return h.renew(ctx, lease)
		case version != "" && lease.ResourceVersion != version:
			return fmt.Errorf("%w: Lease %s/%s is held by %q; give this machine another --host", errServedElsewhere, lease.Namespace, lease.Name, *lease.Spec.HolderIdentity)
		}
		version = lease.ResourceVersion
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C():
		}
	}
}

// ask asks the API server whose it is.
func (h *heartbeat) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatEvery)
	defer cancel()
	return h.confirm(ctx)
}

// beat renews the Lease once. A Lease that is gone, or another's, may be another cluster's doing.
func (h *heartbeat) beat(ctx context.Context) error {
	h.identity.keep()
	lease, err := h.get(ctx)
	if err != nil {
		return err
	}
	if lease == nil || !h.mine(lease) {
		if err := h.ask(ctx); err != nil {
			return err
		}
	}
	if lease != nil && !h.mine(lease) {
		return fmt.Errorf("%w: Lease %s/%s was taken over by %q", errServedElsewhere, lease.Namespace, lease.Name, *lease.Spec.HolderIdentity)
	}
	return h.renew(ctx, lease)
}

// mine says whether this machine's agent holds a Lease, or nobody does.
func (h *heartbeat) mine(lease *coordinationv1.Lease) bool {
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	return holder == "" || holder == h.holder()
}

// holder is what the Lease says of who holds it: the host's name and this machine's identity.
func (h *heartbeat) holder() string { return h.host + "/" + h.identity.text }

// get reads the Lease; nil: there is none.
func (h *heartbeat) get(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeatEvery)
	defer cancel()
	lease := &coordinationv1.Lease{}
	err := h.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: h.host}, lease)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // no Lease is no error here
	}
	if err != nil {
		return nil, fmt.Errorf("get the Lease: %w", err)
	}
	return lease, nil
}

// renew renews the Lease, or creates it.
func (h *heartbeat) renew(ctx context.Context, lease *coordinationv1.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatEvery)
	defer cancel()
	missing := lease == nil
	if missing {
		lease = &coordinationv1.Lease{}
		lease.Namespace, lease.Name = v1alpha1.NamespaceAgents, h.host
	}
	asked := h.clock.Now()
	now := metav1.NewMicroTime(asked)
	lease.Spec.HolderIdentity = ptr.To(h.holder())
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(leaseSeconds))
	lease.Spec.RenewTime = &now
	write := func() error { return h.client.Update(ctx, lease) }
	if missing {
		write = func() error { return h.client.Create(ctx, lease) }
	}
	if err := write(); err != nil {
		return fmt.Errorf("renew the Lease: %w", err)
	}
	h.pulse.renewedAt(asked)
	return nil
}
