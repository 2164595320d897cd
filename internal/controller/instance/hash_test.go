package instance

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// base is an instance whose hash was fixed when the first version of the inputs was: no release may change it.
const (
	base = `
metadata: {name: orders}
spec:
  platform: Process
  version: 0.2.2
  config:
    sources: [{kind: mock, id: m, dataType: {type: counter}}]
    queries: [{id: q, query: "MATCH (c:Counter) RETURN c.value AS v", sources: [{sourceId: m}]}]
    reactions: [{kind: sse, id: r, queries: [q], port: 8081}]
  env: [{name: A, value: "1"}]
`
	baseHash = "v1-cfdecdd4bec7a282860a44cfc5298732"
	// limitedHash is that of the same instance with limits, fixed when they were first enforced.
	limitedHash = "v1-a924707d08b4cb67705bbd4c38516123"
)

func hashOf(t *testing.T, mutate func(*v1alpha1.DrasiInstance)) string {
	t.Helper()
	instance := &v1alpha1.DrasiInstance{}
	if err := yaml.Unmarshal([]byte(base), instance); err != nil {
		t.Fatal(err)
	}
	if mutate != nil {
		mutate(instance)
	}
	plan := PlanOf(instance)
	if len(plan.Findings) > 0 {
		t.Fatalf("findings: %v", plan.Findings)
	}
	hash, err := InputHash(&instance.Spec, plan)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestTheHashOfAnEarlierReleaseIsStillTheSame(t *testing.T) {
	if got := hashOf(t, nil); got != baseHash {
		t.Errorf("hash %s, was %s: an upgrade would restart every server", got, baseHash)
	}
	if got := hashOf(t, limited("512Mi", "1")); got != limitedHash {
		t.Errorf("hash with limits %s, was %s: an upgrade would restart every server", got, limitedHash)
	}
}

// limited sets limits, "" for none.
func limited(memory, cpu string) func(*v1alpha1.DrasiInstance) {
	return func(i *v1alpha1.DrasiInstance) {
		limits := &v1alpha1.ResourceAmounts{}
		if memory != "" {
			limits.Memory = ptr.To(resource.MustParse(memory))
		}
		if cpu != "" {
			limits.CPU = ptr.To(resource.MustParse(cpu))
		}
		i.Spec.Resources = &v1alpha1.Resources{Limits: limits}
	}
}

func TestLimitsHashByTheirAmount(t *testing.T) {
	before := hashOf(t, nil)
	for _, same := range [][2]string{{"512Mi", "536870912"}, {"1Gi", "1024Mi"}, {"1G", "1000M"}} {
		if hashOf(t, limited(same[0], "")) != hashOf(t, limited(same[1], "")) {
			t.Errorf("memory %s and %s differ", same[0], same[1])
		}
	}
	if hashOf(t, limited("", "1")) != hashOf(t, limited("", "1000m")) {
		t.Error("cpu 1 and 1000m differ")
	}
	seen := map[string]string{before: "none"}
	for _, limits := range [][2]string{{"512Mi", ""}, {"", "500m"}, {"512Mi", "500m"}, {"513Mi", "500m"}, {"512Mi", "501m"}} {
		hash := hashOf(t, limited(limits[0], limits[1]))
		if other, there := seen[hash]; there {
			t.Errorf("limits %v hash like %v", limits, other)
		}
		seen[hash] = limits[0] + " " + limits[1]
	}
	if hashOf(t, func(i *v1alpha1.DrasiInstance) { i.Spec.Resources = &v1alpha1.Resources{} }) != before {
		t.Error("no limits in words restart")
	}
}

func TestWhatDecidesOnARestart(t *testing.T) {
	type mutation = func(*v1alpha1.DrasiInstance)
	restarts := map[string]mutation{
		"version":       func(i *v1alpha1.DrasiInstance) { i.Spec.Version = "0.2.3" },
		"restart token": func(i *v1alpha1.DrasiInstance) { i.Spec.RestartToken = "now" },
		"value of env":  func(i *v1alpha1.DrasiInstance) { i.Spec.Env[0].Value = ptr.To("2") },
		"name of env":   func(i *v1alpha1.DrasiInstance) { i.Spec.Env[0].Name = "B" },
		"expose":        func(i *v1alpha1.DrasiInstance) { i.Spec.Expose = v1alpha1.ExposeHost },
		"log level":     func(i *v1alpha1.DrasiInstance) { i.Spec.Config.LogLevel = v1alpha1.TextValue("debug") },
		"query":         func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Queries[0].Query += " " },
		"auto start":    func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Reactions[0].AutoStart = ptr.To(false) },
		"unknown key": func(i *v1alpha1.DrasiInstance) {
			i.Spec.Config.Sources[0].Extra["x"] = i.Spec.Config.Sources[0].Extra["dataType"]
		},
		"additional port":  func(i *v1alpha1.DrasiInstance) { i.Spec.Ports = []v1alpha1.Port{{Name: "more", Port: 9999}} },
		"wished API port":  func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Port = v1alpha1.Value{Raw: []byte("8090")} },
		"persistent index": func(i *v1alpha1.DrasiInstance) { i.Spec.Config.PersistIndex = ptr.To(true) },
	}
	keeps := map[string]mutation{
		"labels": func(i *v1alpha1.DrasiInstance) { i.Labels = map[string]string{"a": "b"} },
		"deadlines": func(i *v1alpha1.DrasiInstance) {
			i.Spec.StartupDeadlineSeconds, i.Spec.TerminationGracePeriodSeconds = 5, 5
		},
		"placement": func(i *v1alpha1.DrasiInstance) { i.Spec.Placement = &v1alpha1.Placement{Host: "a"} },
		"strategy": func(i *v1alpha1.DrasiInstance) {
			i.Spec.UpdateStrategy = &v1alpha1.UpdateStrategy{Type: v1alpha1.UpdateRestart}
		},
		"state in words":             func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning },
		"expose's default":           func(i *v1alpha1.DrasiInstance) { i.Spec.Expose = v1alpha1.ExposeLoopback },
		"id's default":               func(i *v1alpha1.DrasiInstance) { i.Spec.Config.ID = "orders" },
		"a query's default start":    func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Queries[0].AutoStart = ptr.To(true) },
		"a query's default language": func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Queries[0].QueryLanguage = v1alpha1.QueryLanguageGQL },
		"a source's default start":   func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Sources[0].AutoStart = ptr.To(true) },
		"UI's default":               func(i *v1alpha1.DrasiInstance) { i.Spec.Config.EnableUI = ptr.To(false) },
		"nothing of no ports":        func(i *v1alpha1.DrasiInstance) { i.Spec.Ports = []v1alpha1.Port{} },
		"what is ignored": func(i *v1alpha1.DrasiInstance) {
			i.Spec.Config.Host, i.Spec.Config.PersistConfig, i.Spec.Config.APIVersion = v1alpha1.TextValue("0.0.0.0"), ptr.To(true), "drasi.io/v1"
			i.Spec.Config.AutoInstallPlugins, i.Spec.Config.VerifyPlugins = ptr.To(true), ptr.To(true)
		},
	}
	before := hashOf(t, nil)
	ports := func(list ...v1alpha1.Port) mutation { return func(i *v1alpha1.DrasiInstance) { i.Spec.Ports = list } }
	a, b := v1alpha1.Port{Name: "a", Port: 9001}, v1alpha1.Port{Name: "b", Port: 9002}
	explicit := a
	explicit.Protocol = "TCP"
	if hashOf(t, ports(a, b)) != hashOf(t, ports(b, explicit)) {
		t.Error("the order of ports, or a default in words, restarts")
	}
	for name, mutate := range restarts {
		if hashOf(t, mutate) == before {
			t.Errorf("%s: no restart", name)
		}
	}
	for name, mutate := range keeps {
		if hashOf(t, mutate) != before {
			t.Errorf("%s: a restart without need", name)
		}
	}
}
