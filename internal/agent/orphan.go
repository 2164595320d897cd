package agent

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	pipeline "github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/platform"
)

// orphan is a runtime of this host that belongs to no DrasiInstance of this host.
type orphan struct {
	platform.Ref

	// runs says that there is a server to stop, or that one would be started.
	runs bool
	// movedTo is the host that the instance has now; empty: the instance is gone.
	movedTo string
}

// label names an orphan for people.
func (o *orphan) label() string { return o.Namespace + "/" + o.Name }

// identify asks the API server itself whose a runtime is that the cache has no instance for. It returns nil where the runtime is no orphan, or
// where somebody else looks after it. An error means that nothing is known.
func identify(ctx context.Context, live client.Reader, host string, runtime *platform.Observed) (*orphan, error) {
	if runtime.Name == "" || runtime.Namespace == "" {
		return nil, nil //nolint:nilnil // nobody can be asked about what has no name
	}
	instance := &v1alpha1.DrasiInstance{}
	err := live.Get(ctx, client.ObjectKey{Namespace: runtime.Namespace, Name: runtime.Name}, instance)
	switch {
	case isGone(err):
		return &orphan{Ref: runtime.Ref, runs: runs(runtime)}, nil
	case err != nil:
		return nil, fmt.Errorf("ask for the instance %s/%s: %w", runtime.Namespace, runtime.Name, err)
	case string(instance.UID) != runtime.UID && instance.Status.Host != host:
		return &orphan{Ref: runtime.Ref, runs: runs(runtime)}, nil
	case string(instance.UID) != runtime.UID:
		return nil, nil //nolint:nilnil // the pass over the new instance stops the old one's server before it starts its own
	case instance.Status.Host == "" || instance.Status.Host == host || !runs(runtime) || runtime.Parked || pipeline.Paused(instance):
		return nil, nil //nolint:nilnil // the cache is behind, or nothing runs, or a person wants it left alone
	}
	return &orphan{Ref: runtime.Ref, runs: true, movedTo: instance.Status.Host}, nil
}

// runs says whether a runtime is a server that runs or shall run, as one does that the host's restart has ended. One whose state is not known is
// none.
func runs(runtime *platform.Observed) bool {
	return runtime.State != "" && (runtime.State != platform.StateStopped || runtime.Parked)
}

// isGone says whether the API server knows that an object is not there. An address that it does not know, as when the kind is not installed, is
// no such answer.
func isGone(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// maxAtOnce is how many orphans are stopped at once without a person's leave.
const maxAtOnce = 5

// brake says why servers of orphans must not be stopped without a person's leave; "": they may be. Before counts those whose stop began shortly
// before, and others the servers on the host whose instances are there.
func brake(orphans, before, others int) (reason string) {
	switch {
	case orphans == 0:
		return ""
	case others == 0:
		return v1alpha1.ReasonAllOrphaned
	case orphans+before > maxAtOnce:
		return v1alpha1.ReasonManyOrphaned
	}
	return ""
}

// setDigits are the last digits of the number of a set of orphans.
const setDigits = 10_000

// numberOf is the number by which a person names a set of orphans: how many there are, and four digits that tell this set from any other, so that
// leave that was given once counts for nothing else.
func numberOf(orphans []orphan) int64 {
	uids := make([]string, 0, len(orphans))
	for i := range orphans {
		uids = append(uids, orphans[i].UID)
	}
	slices.Sort(uids)
	return int64(len(uids))*setDigits + int64(crc32.ChecksumIEEE([]byte(strings.Join(uids, "\n")))%setDigits)
}

// maxOrphansSaid is how many orphans a message names.
const maxOrphansSaid = 5

// running counts the orphans that have a server to stop.
func running(orphans []orphan) int {
	count := 0
	for i := range orphans {
		if orphans[i].runs {
			count++
		}
	}
	return count
}

// heldMessage tells people which orphans are held, and what to do. Others are the servers whose instances are there.
func heldMessage(host string, orphans []orphan, others int) string {
	labels := make([]string, 0, len(orphans))
	for i := range orphans {
		labels = append(labels, orphans[i].label())
	}
	slices.Sort(labels)
	if more := len(labels) - maxOrphansSaid; more > 0 {
		labels = append(labels[:maxOrphansSaid:maxOrphansSaid], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d of %d servers of the host have no DrasiInstance here any more: %s. None of them is stopped. To have them stopped: kubectl annotate drasihost %s %s=%d --overwrite",
		len(orphans), len(orphans)+others, strings.Join(labels, ", "), host, v1alpha1.AnnotationReap, numberOf(orphans))
}
