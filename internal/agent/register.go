package agent

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// +kubebuilder:rbac:groups=draas.io,resources=drasihosts,verbs=get;create
// +kubebuilder:rbac:groups=draas.io,resources=drasihosts/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get

const (
	// registerEvery is how often the host's description is compared with the world. It is written only where it differs.
	registerEvery = 15 * time.Second
	// maxVersions bounds the versions that a host lists, as the API does.
	maxVersions = 64
	// maxPlatformMessage bounds what a platform says of itself, as the API does: one text that is too long would make every write invalid.
	maxPlatformMessage = 1024
)

// registrar keeps the agent's DrasiHost, as a Runnable of the manager.
type registrar struct {
	client  client.Client
	clock   clock.WithTicker
	options *Options
	drivers map[v1alpha1.Platform]platform.Driver
	pulse   *pulse
	holds   *holds
}

// Start keeps the DrasiHost until ctx ends.
func (r *registrar) Start(ctx context.Context) error {
	ticker := r.clock.NewTicker(registerEvery)
	defer ticker.Stop()
	for {
		if err := r.register(ctx); err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "Keeping the DrasiHost failed", "host", r.options.Host)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		case <-r.holds.changed:
		}
	}
}

// register creates the DrasiHost where it is missing, and brings its status up to date.
func (r *registrar) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registerEvery)
	defer cancel()
	if r.pulse.silent() {
		return nil // the controller may be about to say that the host is lost
	}
	host := &v1alpha1.DrasiHost{}
	err := r.client.Get(ctx, client.ObjectKey{Name: r.options.Host}, host)
	if apierrors.IsNotFound(err) {
		host, err = r.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("get the DrasiHost: %w", err)
	}
	updated := host.DeepCopy()
	r.describe(ctx, updated)
	if equality.Semantic.DeepEqual(host.Status, updated.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(host, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, updated, patch, client.FieldOwner(v1alpha1.FieldOwnerAgent)); err != nil {
		return fmt.Errorf("write the DrasiHost's status: %w", err)
	}
	return nil
}

// create makes the DrasiHost, with the labels of the Node of the same name where there is one. Afterwards labels and spec are people's.
func (r *registrar) create(ctx context.Context) (*v1alpha1.DrasiHost, error) {
	host := &v1alpha1.DrasiHost{ObjectMeta: metav1.ObjectMeta{Name: r.options.Host}}
	node := &corev1.Node{}
	err := r.client.Get(ctx, client.ObjectKey{Name: r.options.Host}, node)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("look for a Node of the host's name: %w", err)
	}
	host.Labels = node.Labels
	if err := r.client.Create(ctx, host, client.FieldOwner(v1alpha1.FieldOwnerAgent)); err != nil {
		return nil, fmt.Errorf("create it: %w", err)
	}
	logf.FromContext(ctx).Info("Registered the host", "host", r.options.Host)
	return host, nil
}

// describe puts what the host offers into the object's status.
func (r *registrar) describe(ctx context.Context, host *v1alpha1.DrasiHost) {
	host.Status.Address = r.options.Address
	host.Status.AgentVersion = r.options.Version
	host.Status.ObservedGeneration = host.Generation
	host.Status.Platforms = nil
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAgentReady, ObservedGeneration: host.Generation,
		Message: "the agent serves the host",
	}
	for _, name := range r.options.Platforms {
		offer := r.offer(ctx, name)
		if offer.Health != v1alpha1.PlatformHealthy {
			ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonPlatformUnhealthy
			ready.Message = fmt.Sprintf("platform %s: %s", name, offer.Message)
		}
		host.Status.Platforms = append(host.Status.Platforms, offer)
	}
	meta.SetStatusCondition(&host.Status.Conditions, ready)
	r.holds.put(host)
}

// offer asks a platform's driver.
func (r *registrar) offer(ctx context.Context, name v1alpha1.Platform) v1alpha1.HostPlatform {
	offer := v1alpha1.HostPlatform{Type: name}
	if r.options.Capacity > 0 {
		offer.Capacity = ptr.To(r.options.Capacity)
	}
	found, err := r.drivers[name].Fingerprint(ctx)
	if err != nil {
		offer.Health, offer.Message = v1alpha1.PlatformUnhealthy, status.Bounded(err.Error(), maxPlatformMessage)
		return offer
	}
	offer.Health = v1alpha1.PlatformHealth(found.Health)
	offer.Versions = found.Versions[max(0, len(found.Versions)-maxVersions):] // the newest
	offer.Limits = v1alpha1.PlatformLimits(found.Limits)
	offer.Message = status.Bounded(found.Message, maxPlatformMessage)
	return offer
}
