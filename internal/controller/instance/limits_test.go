package instance

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
)

func TestLimitsThatCanNeverBeAreRefusedNamingTheField(t *testing.T) {
	tests := []struct {
		limits string
		field  string
		words  string
	}{
		{"{memory: 512Mi, cpu: 500m}", "", ""},
		{"{memory: 16Mi, cpu: 10m}", "", ""},
		{"{memory: 1Pi, cpu: 10000}", "", ""},
		{"{memory: 0}", "spec.resources.limits.memory", "more than 0"},
		{"{memory: -1Gi}", "spec.resources.limits.memory", "more than 0"},
		{"{memory: 512}", "spec.resources.limits.memory", "512 is too little: at least 16Mi"},
		{"{memory: 512m}", "spec.resources.limits.memory", "512m is too little"},
		{"{memory: 16777215}", "spec.resources.limits.memory", "too little"},
		{"{memory: 1Ei}", "spec.resources.limits.memory", "any machine"},
		{"{memory: 1e40}", "spec.resources.limits.memory", "any machine"},
		{"{cpu: 0}", "spec.resources.limits.cpu", "more than 0"},
		{"{cpu: 9m}", "spec.resources.limits.cpu", "9m is too little: at least 10m"},
		{"{cpu: 1n}", "spec.resources.limits.cpu", "too little"},
		{"{cpu: 1M}", "spec.resources.limits.cpu", "any machine"},
	}
	for _, test := range tests {
		t.Run(test.limits, func(t *testing.T) {
			object := &v1alpha1.DrasiInstance{}
			if err := yaml.Unmarshal([]byte(base+"  resources: {limits: "+test.limits+"}\n"), object); err != nil {
				t.Fatal(err)
			}
			findings := PlanOf(object).Findings
			if test.field == "" {
				if len(findings) > 0 {
					t.Errorf("findings %v", findings)
				}
				return
			}
			if len(findings) != 1 || findings[0].Field != test.field || !strings.Contains(findings[0].Message, test.words) {
				t.Errorf("findings %+v, want one of %s with %q", findings, test.field, test.words)
			}
		})
	}
}

func TestLimitsReachTheDriver(t *testing.T) {
	object := &v1alpha1.DrasiInstance{}
	if err := yaml.Unmarshal([]byte(base+"  resources: {limits: {memory: 512Mi, cpu: 1500m}}\n"), object); err != nil {
		t.Fatal(err)
	}
	want := platform.Resources{Memory: 512 << 20, CPU: 1500}
	if got := desired(object, PlanOf(object), "h").Resources; got != want {
		t.Errorf("resources %+v, want %+v", got, want)
	}
	if said := Unsupported(object, v1alpha1.PlatformProcess); len(said) > 0 {
		t.Errorf("said %v", said)
	}
	object.Spec.Resources.Requests = object.Spec.Resources.Limits
	if said := Unsupported(object, v1alpha1.PlatformProcess); len(said) != 1 || !strings.Contains(said[0], "spec.resources.requests") {
		t.Errorf("of requests is said %v", said)
	}
}
