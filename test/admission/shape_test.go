package admission_test

import (
	"testing"
)

// enums are the fields with a closed list of values.
var enums = []struct {
	of     maker
	path   string
	values []string
}{
	{process, "spec.state", []string{"Running", "Stopped"}},
	{process, "spec.expose", []string{"Loopback", "Host"}},
	{process, "spec.config.queries[0].queryLanguage", []string{"Cypher", "GQL"}},
	{process, "spec.ports[0].protocol", []string{"TCP", "UDP"}},
	{process, "spec.health.onDeadComponent", []string{"Report", "RestartComponent", "RestartServer"}},
	{process, "spec.storage.type", []string{"Persistent"}},
	{process, "spec.storage.onDelete", []string{"Delete", "Retain"}},
	{process, "spec.updateStrategy.type", []string{"Restart", "InPlace"}},
	{process, "spec.platform", []string{"Process"}},
	{docker, "spec.platform", []string{"Docker"}},
	{docker, "spec.docker.imagePullPolicy", []string{"Always", "IfNotPresent", "Never"}},
	{aks, "spec.platform", []string{"AKS"}},
	{aks, "spec.aks.imagePullPolicy", []string{"Always", "IfNotPresent", "Never"}},
	{instanceStatus, "status.components[0].type", []string{"Source", "Query", "Reaction"}},
	{hostStatus, "status.platforms[0].type", []string{"Process", "Docker", "AKS"}},
	{hostStatus, "status.platforms[0].health", []string{"Undetected", "Unhealthy", "Healthy"}},
	{hostStatus, "status.platforms[0].limits", []string{"Enforced", "Unenforced", "Refused"}},
}

func TestWordsOfClosedListsAreChecked(t *testing.T) {
	forEach(t, enums, func(i int) (maker, string) { return enums[i].of, enums[i].path }, func(t *testing.T, i int, s subject) {
		word := func(value string) func(map[string]any) {
			return func(object map[string]any) { set(t, object, enums[i].path, value) }
		}
		for _, value := range enums[i].values {
			s.with(word(value)).accepted(t)
		}
		for _, value := range []string{"Other", "", "running"} {
			s.with(word(value)).refused(t, enums[i].path, "Unsupported value")
		}
	})
}

// required are the fields that must be there.
var required = []struct {
	of   maker
	path string
}{
	{process, "spec"},
	{process, "spec.platform"},
	{process, "spec.version"},
	{process, "spec.config"},
	{process, "spec.config.stateStore.kind"},
	{process, "spec.config.secretStore.kind"},
	{process, "spec.config.plugins[0].ref"},
	{process, "spec.config.sources[0].kind"},
	{process, "spec.config.sources[0].id"},
	{process, "spec.config.queries[0].id"},
	{process, "spec.config.queries[0].query"},
	{process, "spec.config.queries[0].sources[0].sourceId"},
	{process, "spec.config.queries[0].middleware[0].kind"},
	{process, "spec.config.queries[0].middleware[0].name"},
	{process, "spec.config.queries[0].joins[0].id"},
	{process, "spec.config.queries[0].joins[0].keys[0].label"},
	{process, "spec.config.queries[0].joins[0].keys[0].property"},
	{process, "spec.config.reactions[0].kind"},
	{process, "spec.config.reactions[0].id"},
	{process, "spec.config.identityProviders[0].kind"},
	{process, "spec.config.identityProviders[0].id"},
	{process, "spec.config.bootstrapProviders[0].kind"},
	{process, "spec.config.bootstrapProviders[0].id"},
	{process, "spec.env[0].name"},
	{process, "spec.env[1].valueFrom.secretKeyRef.name"},
	{process, "spec.env[1].valueFrom.secretKeyRef.key"},
	{process, "spec.env[2].valueFrom.configMapKeyRef.name"},
	{process, "spec.env[2].valueFrom.configMapKeyRef.key"},
	{process, "spec.envFrom[0].secretRef.name"},
	{process, "spec.envFrom[1].configMapRef.name"},
	{process, "spec.files[0].path"},
	{process, "spec.files[0].configMapKeyRef.name"},
	{process, "spec.files[0].configMapKeyRef.key"},
	{process, "spec.files[1].secretKeyRef.name"},
	{process, "spec.files[1].secretKeyRef.key"},
	{process, "spec.ports[0].name"},
	{process, "spec.ports[0].port"},
	{process, "spec.health.onDeadComponent"},
	{process, "spec.storage.type"},
	{process, "spec.updateStrategy.type"},
	{docker, "spec.placement.hostSelector.matchExpressions[0].key"},
	{docker, "spec.placement.hostSelector.matchExpressions[0].operator"},
	{aks, "spec.aks.nodeSelector.matchExpressions[0].key"},
	{aks, "spec.aks.nodeSelector.matchExpressions[0].operator"},
	{instanceStatus, "status.endpoints[0].name"},
	{instanceStatus, "status.endpoints[0].port"},
	{instanceStatus, "status.components[0].id"},
	{instanceStatus, "status.components[0].type"},
	{instanceStatus, "status.components[0].status"},
	{instanceStatus, "status.lastTermination.reason"},
	{instanceStatus, "status.lastTermination.finishedAt"},
	{hostSpec, "spec.namespaceSelector.matchExpressions[0].key"},
	{hostSpec, "spec.namespaceSelector.matchExpressions[0].operator"},
	{hostStatus, "status.platforms[0].type"},
	{hostStatus, "status.platforms[0].health"},
}

func TestRequiredFieldsMustBeThere(t *testing.T) {
	forEach(t, required, func(i int) (maker, string) { return required[i].of, required[i].path }, func(t *testing.T, i int, s subject) {
		path := required[i].path
		s.accepted(t)
		s.with(func(object map[string]any) { unset(t, object, path) }).refused(t, path, "Required value")
	})
}

// patterns are the fields whose text has a form.
var patterns = []struct {
	of   maker
	path string
	good []string
	bad  []string
}{
	{process, "spec.version", []string{"0.2.2", "v1", "1.0.0-rc.1", "latest_x"}, []string{"-1", "1-", "a/b", "a b", "1.0.0+build", "é"}},
	{process, "spec.config.id", []string{"with space", "ü", "a/b"}, []string{"a\x00b"}},
	{process, "spec.config.sources[0].kind", []string{"my-kind"}, []string{"a\x00b"}},
	{process, "spec.config.sources[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{process, "spec.config.queries[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{process, "spec.config.queries[0].query", []string{"a\nb: \"c\" # \u0085"}, []string{"a\x00b"}},
	{process, "spec.config.reactions[0].kind", []string{"my-kind"}, []string{"a\x00b"}},
	{process, "spec.config.reactions[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{process, "spec.config.identityProviders[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{process, "spec.config.bootstrapProviders[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{nested, "spec.config.instances[0].id", []string{"with space", "ü"}, []string{"a\x00b"}},
	{process, "spec.env[0].name", []string{"A.B", "a-b", "1", "ü"}, []string{"A=B", "A\x00B", "="}},
	{process, "spec.env[0].value", []string{"a=b\n$(C) ${D}"}, []string{"a\x00b"}},
	{process, "spec.envFrom[0].prefix", []string{"P_"}, []string{"A=", "A\x00"}},
	{process, "spec.files[0].path", []string{"a", "a/b.c", "..a/b", "a b", "ü"}, []string{"/a", "/", "a\x00b", "\x00"}},
	{process, "spec.ports[0].name", []string{"a", "a-1"}, []string{"A", "-a", "a-", "a_b", "a.b"}},
	{process, "spec.resources.limits.cpu", []string{"1", "500m", "0.5"}, []string{"much", "1 CPU", "500M i"}},
	{process, "spec.resources.limits.memory", []string{"512Mi", "1e9"}, []string{"512MiB", "-"}},
	{process, "spec.resources.requests.cpu", []string{"1"}, []string{"much"}},
	{process, "spec.resources.requests.memory", []string{"1Gi"}, []string{"much"}},
	{process, "spec.storage.size", []string{"1Gi"}, []string{"1 GB"}},
}

func TestTextsHaveTheirForm(t *testing.T) {
	forEach(t, patterns, func(i int) (maker, string) { return patterns[i].of, patterns[i].path }, func(t *testing.T, i int, s subject) {
		text := func(value string) func(map[string]any) {
			return func(object map[string]any) { set(t, object, patterns[i].path, value) }
		}
		for _, value := range patterns[i].good {
			s.with(text(value)).accepted(t)
		}
		for _, value := range patterns[i].bad {
			s.with(text(value)).refused(t, patterns[i].path, "should match")
		}
	})
}

// nonempty are the objects that must have something in them.
var nonempty = []struct {
	of   maker
	path string
}{
	{process, "spec.resources"},
	{process, "spec.resources.limits"},
	{process, "spec.resources.requests"},
	{docker, "spec.docker"},
	{aks, "spec.aks"},
	{instanceStatus, "status.runtime"},
}

func TestBlocksMustNotBeEmpty(t *testing.T) {
	forEach(t, nonempty, func(i int) (maker, string) { return nonempty[i].of, nonempty[i].path }, func(t *testing.T, i int, s subject) {
		path := nonempty[i].path
		s.with(func(object map[string]any) { set(t, object, path, map[string]any{}) }).refused(t, path, "should have at least 1 properties")
	})
}

// types are values of another type than the field's, among them those that drasi-server refuses too (contract 2.1, 2.2).
var types = []struct {
	of    maker
	path  string
	value any
	words string
}{
	{process, "spec.version", 0.2, "must be of type string"},
	{process, "spec.config", "sources: []", "must be of type object"},
	{process, "spec.config.id", int64(5), "must be of type string"},
	{process, "spec.config.id", true, "must be of type string"},
	{process, "spec.config.persistIndex", "true", "must be of type boolean"},
	{process, "spec.config.persistIndex", "${PERSIST}", "must be of type boolean"},
	{process, "spec.config.enableUi", int64(1), "must be of type boolean"},
	{process, "spec.config.hotReloadDebounceMs", 1.5, "must be of type int64"},
	{process, "spec.config.sources", map[string]any{}, "must be of type array"},
	{process, "spec.config.sources[0]", "mock", "must be of type object"},
	{process, "spec.config.sources[0].autoStart", "yes", "must be of type boolean"},
	{process, "spec.config.queries[0].query", int64(1), "must be of type string"},
	{process, "spec.config.queries[0].bootstrapTimeoutSecs", "300", "must be of type integer"},
	{process, "spec.config.reactions[0].queries", "values", "must be of type array"},
	{process, "spec.env[0].value", int64(1), "must be of type string"},
	{process, "spec.ports[0].port", "http", "must be of type integer"},
	{process, "spec.startupDeadlineSeconds", "10m", "must be of type integer"},
	{instanceStatus, "status.startedAt", "yesterday", "must be of type date-time"},
}

func TestTypesAreChecked(t *testing.T) {
	forEach(t, types, func(i int) (maker, string) { return types[i].of, types[i].path }, func(t *testing.T, i int, s subject) {
		s.with(func(object map[string]any) { set(t, object, types[i].path, types[i].value) }).refused(t, types[i].path, types[i].words)
	})
}
