package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/draas-io/draas/api/v1alpha1"
)

// sharedDir holds the recordings of the real server and the configurations that its project publishes, where they are to be had.
func sharedDir() string {
	if dir := os.Getenv("DRAAS_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared")
}

// recorded is what a recording says of a published configuration's end.
type recorded struct {
	Env   map[string]string `json:"env"`
	Steps []struct {
		HTTP  string `json:"http"`
		Reply struct {
			Body json.RawMessage `json:"body"`
		} `json:"reply"`
	} `json:"steps"`
	End struct {
		ExitCode int    `json:"exitCode"`
		Stderr   string `json:"stderr"`
	} `json:"end"`
}

// statuses are those of the components, by id.
func (r *recorded) statuses() map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, step := range r.Steps {
		var reply struct {
			Data []struct {
				ID     string `json:"id"`
				Status string `json:"status"`
			} `json:"data"`
		}
		if json.Unmarshal(step.Reply.Body, &reply) != nil || strings.HasSuffix(step.HTTP, "/instances") {
			continue
		}
		for _, c := range reply.Data {
			if !strings.HasPrefix(c.ID, "__") {
				found[c.ID] = c.Status
			}
		}
	}
	return found
}

var nameParts = regexp.MustCompile(`[^a-z0-9]+`)

var _ = Describe("Configurations that drasi-server publishes", func() {
	It("apply as pasted and end as they do on the real server", Label("slow"), func(ctx SpecContext) {
		files, err := filepath.Glob(filepath.Join(sharedDir(), "drasi-examples", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		if len(files) == 0 {
			Skip("the published configurations are not here: set DRAAS_SHARED to a directory that has drasi-examples and recordings")
		}
		h := startHost(ctx)
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".yaml")
			By(name)
			config, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			var recording recorded
			data, err := os.ReadFile(filepath.Join(sharedDir(), "recordings", "example_"+name+".json"))
			Expect(err).NotTo(HaveOccurred())
			Expect(json.Unmarshal(data, &recording)).To(Succeed())

			instance := newInstance("example-"+strings.Trim(nameParts.ReplaceAllString(strings.ToLower(name), "-"), "-"), h, string(config))
			if len(instance.Name) > 52 {
				instance.Name = instance.Name[:52]
			}
			for key, value := range recording.Env {
				instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: key, Value: ptr.To(value)})
			}
			if len(instance.Spec.Config.Instances) > 1 {
				Expect(world.client.Create(ctx, instance)).To(MatchError(ContainSubstring("write one DrasiInstance for each")))
				continue
			}
			create(ctx, instance)
			expectEnd(ctx, instance, &recording)
			remove(ctx, instance) // some of them want the same ports
		}
	})
})

// expectEnd waits until an instance has ended up as a recording did.
func expectEnd(ctx SpecContext, instance *v1alpha1.DrasiInstance, recording *recorded) {
	GinkgoHelper()
	missingFolder := strings.Contains(recording.End.Stderr, "No such file or directory") // which is made here
	if recording.End.ExitCode != 0 && !missingFolder {
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
		words := strings.TrimPrefix(strings.TrimSpace(recording.End.Stderr), "Error: ")
		Expect(condition(refused, "Ready").Message).To(ContainSubstring(words[:min(80, len(words))]))
		return
	}
	want := recording.statuses()
	failing := false
	for _, status := range want {
		failing = failing || status == "Error"
	}
	var got *v1alpha1.DrasiInstance
	if failing {
		got = await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonBootstrapFailed)
	} else {
		got = awaitRunning(ctx, instance)
	}
	for _, component := range got.Status.Components {
		if status, known := want[component.ID]; known || !missingFolder {
			Expect(component.Status).To(Equal(status), fmt.Sprintf("%s: %s", instance.Name, component.ID))
		}
	}
	if !missingFolder {
		Expect(got.Status.Components).To(HaveLen(len(want)))
	}
}
