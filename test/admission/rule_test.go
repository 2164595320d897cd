package admission_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// whole is the field that the API server names for a rule on the whole object.
const whole = "metadata"

// rules are the CEL rules about new objects: what they refuse, and what they must not refuse.
var rules = []struct {
	name    string
	of      maker
	field   string
	message string
	refused []string
	taken   []string
}{
	{
		"names have at most 52 characters", process, whole, "metadata.name must have at most 52 characters",
		[]string{"metadata: {name: " + strings.Repeat("a", 53) + "}"},
		[]string{"metadata: {name: " + strings.Repeat("a", 52) + "}"},
	},
	{
		"process belongs to Process", aks, "spec.process", "process must not be set unless platform is Process",
		[]string{"spec: {process: {}}"},
		[]string{"spec: {process: null}"},
	},
	{
		"docker belongs to Docker", process, "spec.docker", "docker must not be set unless platform is Docker",
		[]string{"spec: {docker: {image: x}}"},
		[]string{"spec: {docker: null}"},
	},
	{
		"aks belongs to AKS", process, "spec.aks", "aks must not be set unless platform is AKS",
		[]string{"spec: {aks: {image: x}}"},
		[]string{"spec: {aks: null}"},
	},
	{
		"the cluster's scheduler places pods", aks, "spec.placement", "placement must not be set where platform is AKS",
		[]string{"spec: {placement: {host: node-a}}", "spec: {placement: {hostSelector: {}}}"},
		[]string{"spec: {placement: null}"},
	},
	{
		"Services expose pods", aks, "spec.expose", "expose must not be set where platform is AKS",
		[]string{"spec: {expose: Host}", "spec: {expose: Loopback}"},
		[]string{"spec: {expose: null}"},
	},
	{
		"one instance for each object", process, "spec.config", "instances must have at most one entry: write one DrasiInstance for each",
		[]string{"spec: {config: {instances: [{id: a}, {id: b}]}}"},
		[]string{"spec: {config: {instances: [{id: a}]}}", "spec: {config: {instances: []}}", "spec: {config: {instances: [{}]}}"},
	},
	{
		"a variable has one value", process, "spec.env[0]", "value and valueFrom must not both be set",
		[]string{"spec: {env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: s, key: k}}}]}", `spec: {env: [{name: A, value: "", valueFrom: {secretKeyRef: {name: s, key: k}}}]}`},
		[]string{"spec: {env: [{name: A}]}", "spec: {env: [{name: A, value: b}]}", "spec: {env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}"},
	},
	{
		"no variable loads foreign code", process, "spec.env[0].name", "name must not be one by which foreign code is loaded into the server",
		[]string{
			"spec: {env: [{name: LD_PRELOAD, value: x}]}", "spec: {env: [{name: LD_LIBRARY_PATH, value: x}]}", "spec: {env: [{name: LD_, value: x}]}",
			"spec: {env: [{name: GLIBC_TUNABLES}]}", "spec: {env: [{name: GCONV_PATH}]}", "spec: {env: [{name: LOCPATH}]}",
			"spec: {env: [{name: OPENSSL_CONF}]}", "spec: {env: [{name: OPENSSL_ENGINES}]}", "spec: {env: [{name: OPENSSL_MODULES}]}",
		},
		[]string{"spec: {env: [{name: LDAP_HOST, value: x}, {name: MY_LD_PRELOAD, value: x}, {name: ld_preload, value: x}]}"},
	},
	{
		"a variable comes from one object", process, "spec.env[0].valueFrom", "exactly one of the fields in [secretKeyRef configMapKeyRef] must be set",
		[]string{"spec: {env: [{name: A, valueFrom: {}}]}", "spec: {env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}, configMapKeyRef: {name: s, key: k}}}]}"},
		[]string{"spec: {env: [{name: A, valueFrom: {configMapKeyRef: {name: s, key: k}}}]}"},
	},
	{
		"variables come from one object each", process, "spec.envFrom[0]", "exactly one of the fields in [secretRef configMapRef] must be set",
		[]string{"spec: {envFrom: [{}]}", "spec: {envFrom: [{prefix: A}]}", "spec: {envFrom: [{secretRef: {name: s}, configMapRef: {name: s}}]}"},
		[]string{"spec: {envFrom: [{secretRef: {name: s}}, {secretRef: {name: s}}]}"},
	},
	{
		"a file comes from one object", process, "spec.files[0]", "exactly one of the fields in [secretKeyRef configMapKeyRef] must be set",
		[]string{"spec: {files: [{path: a}]}", "spec: {files: [{path: a, secretKeyRef: {name: s, key: k}, configMapKeyRef: {name: s, key: k}}]}"},
		[]string{"spec: {files: [{path: a, secretKeyRef: {name: s, key: k}}]}"},
	},
	{
		"files stay below the working directory", process, "spec.files[0].path", "path must be relative and must not have empty parts, '.' or '..'",
		[]string{file(".."), file("../a"), file("a/../../b"), file("a/.."), file("."), file("./a"), file("a/./b"), file("a//b"), file("a/")},
		[]string{file("a"), file("a/b/c"), file("..a/b.."), file("...")},
	},
	{
		"the name api is the server's own", process, "spec.ports[0].name", "name must not be api",
		[]string{"spec: {ports: [{name: api, port: 1}]}"},
		[]string{"spec: {ports: [{name: api2, port: 1}]}"},
	},
	{
		"only what persists has a size", process, "spec.storage", "size, storageClassName and existingClaim must not be set unless type is Persistent",
		[]string{
			"spec: {storage: {type: Ephemeral}}",
			"spec: {storage: {type: Ephemeral, size: null}}",
			"spec: {storage: {type: Ephemeral, size: null, storageClassName: null, existingClaim: c}}",
		},
		[]string{"spec: {storage: {type: Ephemeral, size: null, storageClassName: null}}", "spec: {storage: {type: Persistent}}"},
	},
	{
		"a claim that exists has its size", aks, "spec.storage", "size and storageClassName must not be set beside existingClaim",
		[]string{"spec: {storage: {size: 1Gi}}", "spec: {storage: {storageClassName: fast}}"},
		[]string{"spec: {storage: {existingClaim: other}}"},
	},
	{
		"a place is a host or a selector", process, "spec.placement", "exactly one of the fields in [host hostSelector] must be set",
		[]string{"spec: {placement: {host: null}}", "spec: {placement: {hostSelector: {}}}"},
		[]string{"spec: {placement: {host: node-b}}", "spec: {placement: {host: null, hostSelector: {matchLabels: {a: b}}}}"},
	},
}

// file is a patch with one file.
func file(path string) string {
	return `spec: {files: [{path: "` + path + `", secretKeyRef: {name: s, key: k}}]}`
}

func TestRulesOnNewObjects(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			s := r.of.make(t)
			for _, patch := range r.refused {
				s.with(func(object map[string]any) { merge(object, parse(t, patch)) }).refused(t, r.field, r.message)
			}
			for _, patch := range r.taken {
				s.with(func(object map[string]any) { merge(object, parse(t, patch)) }).accepted(t)
			}
		})
	}
}

// changes are the CEL rules about changes of an object that is there.
var changes = []struct {
	name    string
	of      maker
	field   string
	message string
	// before is put over the object of testdata.
	before  string
	refused []string
	taken   []string
}{
	{
		"the platform stays", docker, "spec.platform", "platform must not be changed: delete the instance and create it anew", "spec: {}",
		[]string{"spec: {platform: Process, docker: null}", "spec: {platform: AKS, docker: null, placement: null, expose: null}"},
		[]string{"spec: {platform: Docker}"},
	},
	{
		"a written id stays", process, "spec.config.id", "spec.config.id must not be changed: the server's data hangs on it", "spec: {config: {id: orders}}",
		[]string{"spec: {config: {id: other}}", "spec: {config: {id: null}}", "spec: {config: {id: Orders}}"},
		[]string{"spec: {config: {id: orders, logLevel: warn}}"},
	},
	{
		"the name is the id where none is written", process, "spec.config.id", "spec.config.id must not be changed: the server's data hangs on it", "spec: {config: {id: null}}",
		[]string{"spec: {config: {id: other}}"},
		[]string{"spec: {config: {id: full}}", "spec: {config: {logLevel: warn}}"},
	},
	{
		"the id that is the name may go", process, "spec.config.id", "spec.config.id must not be changed: the server's data hangs on it", "spec: {config: {id: full}}",
		[]string{"spec: {config: {id: other}}"},
		[]string{"spec: {config: {id: null}}"},
	},
}

func TestRulesOnChanges(t *testing.T) {
	for _, r := range changes {
		t.Run(r.name, func(t *testing.T) {
			s := r.of.make(t).with(func(object map[string]any) { merge(object, parse(t, r.before)) })
			create(t, s.object)
			try := func(patch string) error {
				changed := s.with(func(object map[string]any) { merge(object, parse(t, patch)) })
				return server.client.Update(t.Context(), changed.object, client.DryRunAll)
			}
			for _, patch := range r.refused {
				expectRefusal(t, try(patch), r.field, r.message)
			}
			for _, patch := range r.taken {
				if err := try(patch); err != nil {
					t.Errorf("%s is refused: %v", patch, err)
				}
			}
		})
	}
}

func TestMisspeltKeysOutsideConfigAreRefusedWhenStrict(t *testing.T) {
	for _, key := range []string{"spec.restartTokn", "spec.config.stateStorage", "spec.env[0].valueFromm"} {
		t.Run(key, func(t *testing.T) {
			s := process.make(t).with(func(object map[string]any) { set(t, object, key, "x") })
			err := server.client.Create(t.Context(), s.object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			// Within config unknown keys are drasi-server's business.
			if strings.HasPrefix(key, "spec.config.") {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), `unknown field "`+key+`"`) {
				t.Fatalf("want a refusal that names %s, got %v", key, err)
			}
		})
	}
}
