package admission_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// texts are the bounds of texts; min 0: the empty text is taken.
var texts = []struct {
	of       maker
	path     string
	min, max int
}{
	{process, "spec.version", 1, 63},
	{process, "spec.restartToken", 0, 253},
	{process, "spec.config.apiVersion", 1, 253},
	{process, "spec.config.id", 1, 256},
	{process, "spec.config.host", 0, 65536},
	{process, "spec.config.port", 0, 65536},
	{process, "spec.config.logLevel", 0, 65536},
	{process, "spec.config.solutionsDir", 1, 4096},
	{process, "spec.config.stateStore.kind", 1, 253},
	{process, "spec.config.stateStore.path", 0, 65536},
	{process, "spec.config.secretStore.kind", 1, 253},
	{process, "spec.config.defaultPriorityQueueCapacity", 0, 65536},
	{process, "spec.config.defaultDispatchBufferCapacity", 0, 65536},
	{process, "spec.config.pluginRegistry", 1, 4096},
	{process, "spec.config.plugins[0].ref", 1, 1024},
	{process, "spec.config.trustedIdentities[0].issuer", 1, 1024},
	{process, "spec.config.trustedIdentities[0].subjectPattern", 1, 1024},
	{process, "spec.config.corsAllowedOrigins[0]", 0, 4096},
	{process, "spec.config.sources[0].kind", 1, 253},
	{process, "spec.config.sources[0].id", 1, 256},
	{process, "spec.config.sources[0].identityProvider", 1, 256},
	{process, "spec.config.queries[0].id", 1, 256},
	{process, "spec.config.queries[0].query", 1, 131072},
	{process, "spec.config.queries[0].dispatchMode", 1, 64},
	{process, "spec.config.queries[0].sources[0].sourceId", 1, 256},
	{process, "spec.config.queries[0].sources[0].nodes[0]", 0, 1024},
	{process, "spec.config.queries[0].sources[0].relations[0]", 0, 1024},
	{process, "spec.config.queries[0].sources[0].pipeline[0]", 0, 256},
	{process, "spec.config.queries[0].middleware[0].kind", 1, 253},
	{process, "spec.config.queries[0].middleware[0].name", 1, 256},
	{process, "spec.config.queries[0].joins[0].id", 1, 256},
	{process, "spec.config.queries[0].joins[0].keys[0].label", 1, 1024},
	{process, "spec.config.queries[0].joins[0].keys[0].property", 1, 1024},
	{process, "spec.config.reactions[0].kind", 1, 253},
	{process, "spec.config.reactions[0].id", 1, 256},
	{process, "spec.config.reactions[0].queries[0]", 1, 256},
	{process, "spec.config.reactions[0].identityProvider", 1, 256},
	{process, "spec.config.identityProviders[0].kind", 1, 253},
	{process, "spec.config.identityProviders[0].id", 1, 256},
	{process, "spec.config.bootstrapProviders[0].kind", 1, 253},
	{process, "spec.config.bootstrapProviders[0].id", 1, 256},
	{nested, "spec.config.instances[0].id", 1, 256},
	{process, "spec.env[0].name", 1, 253},
	{process, "spec.env[0].value", 0, 131072},
	{process, "spec.env[1].valueFrom.secretKeyRef.name", 1, 253},
	{process, "spec.env[1].valueFrom.secretKeyRef.key", 1, 253},
	{process, "spec.env[2].valueFrom.configMapKeyRef.name", 1, 253},
	{process, "spec.env[2].valueFrom.configMapKeyRef.key", 1, 253},
	{process, "spec.envFrom[0].prefix", 1, 253},
	{process, "spec.envFrom[0].secretRef.name", 1, 253},
	{process, "spec.envFrom[1].configMapRef.name", 1, 253},
	{process, "spec.files[0].path", 1, 255},
	{process, "spec.files[0].configMapKeyRef.name", 1, 253},
	{process, "spec.files[0].configMapKeyRef.key", 1, 253},
	{process, "spec.files[1].secretKeyRef.name", 1, 253},
	{process, "spec.files[1].secretKeyRef.key", 1, 253},
	{process, "spec.ports[0].name", 1, 63},
	{process, "spec.ports[0].component", 1, 256},
	{process, "spec.storage.storageClassName", 1, 253},
	{process, "spec.placement.host", 1, 253},
	{docker, "spec.docker.image", 1, 1024},
	{docker, "spec.docker.network", 1, 253},
	{aks, "spec.storage.existingClaim", 1, 253},
	{aks, "spec.aks.image", 1, 1024},
	{aks, "spec.aks.imagePullSecret", 1, 253},
	{aks, "spec.aks.serviceAccountName", 1, 253},

	{instanceStatus, "status.host", 1, 253},
	{instanceStatus, "status.endpoints[0].name", 1, 256},
	{instanceStatus, "status.endpoints[1].component", 1, 256},
	{instanceStatus, "status.endpoints[0].url", 1, 2048},
	{instanceStatus, "status.components[0].id", 1, 256},
	{instanceStatus, "status.components[0].status", 1, 64},
	{instanceStatus, "status.components[0].message", 1, 1024},
	{instanceStatus, "status.componentsReady", 1, 16},
	{instanceStatus, "status.lastTermination.reason", 1, 64},
	{instanceStatus, "status.lastTermination.message", 1, 4096},
	{instanceStatus, "status.runtime.process.logDirectory", 1, 4096},

	{hostStatus, "status.address", 1, 253},
	{hostStatus, "status.agentVersion", 1, 128},
	{hostStatus, "status.publicKey", 1, 4096},
	{hostStatus, "status.platforms[0].message", 1, 1024},
	{hostStatus, "status.platforms[0].versions[0]", 1, 63},
}

// nested is an instance in drasi-server's layout for several.
var nested = maker{"DrasiInstance", func(t *testing.T) subject {
	t.Helper()
	return subject{object: load(t, "extra")}
}}

func TestTextsAreBounded(t *testing.T) {
	forEach(t, texts, func(i int) (maker, string) { return texts[i].of, texts[i].path }, func(t *testing.T, i int, s subject) {
		bound := texts[i]
		long := func(n int) func(map[string]any) {
			return func(object map[string]any) { set(t, object, bound.path, strings.Repeat("a", n)) }
		}
		s.with(long(bound.max)).accepted(t)
		s.with(long(bound.max+1)).refused(t, bound.path, fmt.Sprintf("may not be more than %d bytes", bound.max))
		if bound.min > 0 {
			s.with(long(bound.min)).accepted(t)
			s.with(long(bound.min-1)).refused(t, bound.path, fmt.Sprintf("should be at least %d chars long", bound.min))
		} else {
			s.with(long(0)).accepted(t)
		}
	})
}

// lists are the bounds of lists; key is what an item is named by, "" for texts.
var lists = []struct {
	of   maker
	path string
	key  string
	max  int
}{
	{process, "spec.config.plugins", "ref", 256},
	{process, "spec.config.trustedIdentities", "issuer", 64},
	{process, "spec.config.corsAllowedOrigins", "", 256},
	{process, "spec.config.sources", "id", 256},
	{process, "spec.config.queries", "id", 256},
	{process, "spec.config.queries[0].sources", "sourceId", 256},
	{process, "spec.config.queries[0].sources[0].nodes", "", 256},
	{process, "spec.config.queries[0].sources[0].relations", "", 256},
	{process, "spec.config.queries[0].sources[0].pipeline", "", 256},
	{process, "spec.config.queries[0].middleware", "name", 256},
	{process, "spec.config.queries[0].joins", "id", 256},
	{process, "spec.config.queries[0].joins[0].keys", "label", 64},
	{process, "spec.config.reactions", "id", 256},
	{process, "spec.config.reactions[0].queries", "", 256},
	{process, "spec.config.identityProviders", "id", 256},
	{process, "spec.config.bootstrapProviders", "id", 256},
	{process, "spec.env", "name", 256},
	{process, "spec.envFrom", "prefix", 64},
	{process, "spec.files", "path", 256},
	{process, "spec.ports", "name", 256},
	{instanceStatus, "status.conditions", "type", 16},
	{instanceStatus, "status.endpoints", "name", 512},
	{instanceStatus, "status.components", "id", 768},
	{hostStatus, "status.conditions", "type", 16},
	{hostStatus, "status.platforms[0].versions", "", 64},
}

func TestListsAreBounded(t *testing.T) {
	forEach(t, lists, func(i int) (maker, string) { return lists[i].of, lists[i].path }, func(t *testing.T, i int, s subject) {
		bound := lists[i]
		items := func(n int) func(map[string]any) {
			return func(object map[string]any) { set(t, object, bound.path, copies(t, object, bound.path, bound.key, n)) }
		}
		s.with(items(bound.max)).accepted(t)
		s.with(items(bound.max+1)).refused(t, bound.path, fmt.Sprintf("must have at most %d items", bound.max))
	})
}

// unique are the lists in which no name may come twice.
var unique = []struct {
	of   maker
	path string
}{
	{process, "spec.config.sources"},
	{process, "spec.config.queries"},
	{process, "spec.config.reactions"},
	{process, "spec.config.identityProviders"},
	{process, "spec.config.bootstrapProviders"},
	{process, "spec.env"},
	{process, "spec.files"},
	{process, "spec.ports"},
	{instanceStatus, "status.conditions"},
	{instanceStatus, "status.endpoints"},
	{instanceStatus, "status.components"},
	{hostStatus, "status.conditions"},
	{hostStatus, "status.platforms"},
	{hostStatus, "status.platforms[0].versions"},
}

func TestNamesAreUnique(t *testing.T) {
	forEach(t, unique, func(i int) (maker, string) { return unique[i].of, unique[i].path }, func(t *testing.T, i int, s subject) {
		path := unique[i].path
		last := 0
		twice := s.with(func(object map[string]any) {
			items := at(t, object, path).([]any)
			last = len(items)
			set(t, object, path, append(slices.Clone(items), (&unstructured.Unstructured{Object: map[string]any{"": items[0]}}).DeepCopy().Object[""]))
		})
		twice.refused(t, fmt.Sprintf("%s[%d]", path, last), "Duplicate value")
	})
}

// numbers are the bounds of numbers; none: no upper bound but that of the type.
var numbers = []struct {
	of       maker
	path     string
	min, max int64
}{
	{process, "spec.config.hotReloadDebounceMs", 0, none},
	{process, "spec.config.queries[0].bootstrapBufferSize", 0, none},
	{process, "spec.config.queries[0].bootstrapTimeoutSecs", 0, none},
	{process, "spec.config.queries[0].priorityQueueCapacity", 0, none},
	{process, "spec.config.queries[0].dispatchBufferCapacity", 0, none},
	{process, "spec.config.queries[0].outboxCapacity", 0, none},
	{process, "spec.ports[0].port", 1, 65535},
	{process, "spec.startupDeadlineSeconds", 1, 86400},
	{process, "spec.terminationGracePeriodSeconds", 1, 3600},
	{instanceStatus, "status.observedGeneration", -1, none},
	{instanceStatus, "status.endpoints[0].port", 1, 65535},
	{instanceStatus, "status.components[0].restarts", 0, none},
	{instanceStatus, "status.restarts", 0, none},
	{instanceStatus, "status.lastTermination.signal", 1, 64},
	{instanceStatus, "status.runtime.process.pid", 1, none},
	{hostStatus, "status.observedGeneration", -1, none},
	{hostStatus, "status.platforms[0].capacity", 0, 100000},
}

const none = int64(-1 << 63)

func TestNumbersAreBounded(t *testing.T) {
	forEach(t, numbers, func(i int) (maker, string) { return numbers[i].of, numbers[i].path }, func(t *testing.T, i int, s subject) {
		bound := numbers[i]
		number := func(n int64) func(map[string]any) {
			return func(object map[string]any) { set(t, object, bound.path, n) }
		}
		s.with(number(bound.min)).accepted(t)
		s.with(number(bound.min-1)).refused(t, bound.path, fmt.Sprintf("should be greater than or equal to %d", bound.min))
		if bound.max != none {
			s.with(number(bound.max)).accepted(t)
			s.with(number(bound.max+1)).refused(t, bound.path, fmt.Sprintf("should be less than or equal to %d", bound.max))
		}
	})
}

// forEach runs a subtest for each row of a table, with its subject.
func forEach[T any](t *testing.T, table []T, of func(int) (maker, string), test func(*testing.T, int, subject)) {
	t.Helper()
	for i := range table {
		subject, path := of(i)
		t.Run(subject.kind+" "+path, func(t *testing.T) { test(t, i, subject.make(t)) })
	}
}
