package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// simple is a configuration with a source, a query and a reaction.
const simple = `
sources:
- {kind: mock, id: counter, dataType: {type: counter}, intervalMs: 1000}
queries:
- {id: all, queryLanguage: Cypher, query: "MATCH (c:Counter) RETURN c.value AS value", sources: [{sourceId: counter}]}
reactions:
- {kind: log, id: print, queries: [all]}
`

// newInstance is an instance pinned to a host.
func newInstance(name string, h *host, config string) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	openRecord(name)
	instance := &v1alpha1.DrasiInstance{ObjectMeta: objectMeta("default", name)}
	instance.Spec = v1alpha1.DrasiInstanceSpec{
		Platform: v1alpha1.PlatformProcess, Version: "0.2.2", TerminationGracePeriodSeconds: 10, Config: parse(config),
		Env: []v1alpha1.EnvVar{{Name: "DRASISIM_RECORD", Value: ptr.To(record(name))}},
	}
	if h != nil {
		instance.Spec.Placement = &v1alpha1.Placement{Host: h.name}
	}
	return instance
}

func parse(config string) (parsed v1alpha1.ServerConfig) {
	GinkgoHelper()
	Expect(yaml.Unmarshal([]byte(config), &parsed)).To(Succeed())
	return parsed
}

// record is the file in which the simulated servers of an instance note their starts and stops.
func record(name string) string { return filepath.Join(world.dir, "records", "of-"+name) }

// openRecord makes the record one that servers of any user can write to: one of a later object may have another user than its predecessor.
func openRecord(name string) {
	GinkgoHelper()
	file, err := os.OpenFile(record(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	Expect(err).NotTo(HaveOccurred())
	Expect(file.Chmod(0o666)).To(Succeed())
	Expect(file.Close()).To(Succeed())
}

// starts counts how often a server was started, and fails if two of them ever lived at a time.
func starts(name string) int {
	data, err := os.ReadFile(record(name))
	if os.IsNotExist(err) {
		return 0
	}
	Expect(err).NotTo(HaveOccurred())
	Expect(string(data)).NotTo(ContainSubstring("overlap "), "two servers of %s lived at a time", name)
	return strings.Count("\n"+string(data), "\nstart ")
}

func create(ctx context.Context, instance *v1alpha1.DrasiInstance) {
	GinkgoHelper()
	Expect(world.client.Create(ctx, instance)).To(Succeed())
}

// change patches the spec of an instance.
func change(ctx context.Context, instance *v1alpha1.DrasiInstance, mutate func(*v1alpha1.DrasiInstance)) {
	GinkgoHelper()
	Eventually(func() error {
		latest := fetch(ctx, instance)
		old := latest.DeepCopy()
		mutate(latest)
		if err := world.client.Patch(ctx, latest, client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{})); err != nil {
			return err
		}
		latest.DeepCopyInto(instance)
		return nil
	}).Should(Succeed())
}

// fetch reads the object anew.
func fetch(ctx context.Context, instance *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	latest := &v1alpha1.DrasiInstance{}
	Expect(world.client.Get(ctx, client.ObjectKeyFromObject(instance), latest)).To(Succeed())
	return latest
}

func condition(instance *v1alpha1.DrasiInstance, name string) metav1.Condition {
	if c := meta.FindStatusCondition(instance.Status.Conditions, name); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// await waits until Ready is as told for the current generation, and checks what must hold of every settled object.
func await(ctx context.Context, instance *v1alpha1.DrasiInstance, ready metav1.ConditionStatus, reason string) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	var latest *v1alpha1.DrasiInstance
	Eventually(func(g Gomega) {
		latest = fetch(ctx, instance)
		c := condition(latest, v1alpha1.ConditionReady)
		g.Expect(latest.Status.ObservedGeneration).To(Equal(latest.Generation))
		g.Expect(c.Status).To(Equal(ready), describe(latest))
		g.Expect(c.Reason).To(Equal(reason), describe(latest))
	}).Should(Succeed())
	lint(latest)
	return latest
}

func awaitRunning(ctx context.Context, instance *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	return await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonRunning)
}

// describe prints a status for people.
func describe(instance *v1alpha1.DrasiInstance) string {
	text, err := yaml.Marshal(instance.Status)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// lint checks what must hold of the status of every object: kstatus agrees with the conditions, each of which says which generation it is of.
func lint(instance *v1alpha1.DrasiInstance) {
	GinkgoHelper()
	seen := map[string]metav1.ConditionStatus{}
	for _, c := range instance.Status.Conditions {
		Expect(c.ObservedGeneration).To(Equal(instance.Generation), "%s: %s", c.Type, describe(instance))
		Expect(c.Reason).NotTo(BeEmpty(), c.Type)
		Expect(c.Message).NotTo(MatchRegexp(`0x[0-9a-f]{6,}|\d{4}-\d\d-\d\dT`), "%s has a message that differs from one time to the next", c.Type)
		seen[c.Type] = c.Status
	}
	for _, name := range []string{"Ready", "Placed", "ConfigValid", "ConfigApplied", "Live", "ComponentsReady", "Released"} {
		Expect(seen).To(HaveKey(name), describe(instance))
	}
	want := status.InProgressStatus
	switch {
	case seen["Ready"] == metav1.ConditionTrue:
		want = status.CurrentStatus
	case seen["Stalled"] == metav1.ConditionTrue:
		want = status.FailedStatus
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(instance)
	Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	Expect(err).NotTo(HaveOccurred())
	Expect(result.Status).To(Equal(want), "%s\n%s", result.Message, describe(instance))
	Expect(seen["Stalled"] == metav1.ConditionTrue && seen["Reconciling"] == metav1.ConditionTrue).To(BeFalse(), "Stalled and Reconciling at a time")
}

// pid is the process of an instance that runs.
func pid(instance *v1alpha1.DrasiInstance) int {
	GinkgoHelper()
	Expect(instance.Status.Runtime).NotTo(BeNil(), describe(instance))
	Expect(instance.Status.Runtime.Process).NotTo(BeNil(), describe(instance))
	return int(instance.Status.Runtime.Process.PID)
}

// restarts is how often the server was started without being asked for.
func restarts(instance *v1alpha1.DrasiInstance) int32 { return ptr.Deref(instance.Status.Restarts, -1) }

// alive says whether a process is there; a zombie is dead.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// crash kills an instance's server as nobody of ours would.
func crash(instance *v1alpha1.DrasiInstance) {
	GinkgoHelper()
	Expect(syscall.Kill(pid(instance), syscall.SIGKILL)).To(Succeed())
}

// endpoint is the URL of a listener.
func endpoint(instance *v1alpha1.DrasiInstance, name string) string {
	GinkgoHelper()
	for _, e := range instance.Status.Endpoints {
		if e.Name == name {
			return e.URL
		}
	}
	Fail(fmt.Sprintf("no endpoint %s: %s", name, describe(instance)))
	return ""
}

// ask asks an instance's server through its own API. It may answer late.
func ask(ctx context.Context, instance *v1alpha1.DrasiInstance, path string, into any) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint(instance, "api")+path, http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(reply.Body.Close()).To(Succeed()) }()
	Expect(reply.StatusCode).To(Equal(http.StatusOK), path)
	Expect(json.NewDecoder(reply.Body).Decode(into)).To(Succeed())
}

// loaded lists the ids of the components that a server has loaded, internal ones left out.
func loaded(ctx context.Context, instance *v1alpha1.DrasiInstance, id string) []string {
	GinkgoHelper()
	type component struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	var snapshot struct {
		Data struct {
			Sources, Queries, Reactions []component
		} `json:"data"`
	}
	ask(ctx, instance, "/api/v1/instances/"+id+"/snapshot", &snapshot)
	var ids []string
	for _, list := range [][]component{snapshot.Data.Sources, snapshot.Data.Queries, snapshot.Data.Reactions} {
		for _, c := range list {
			if !strings.HasPrefix(c.ID, "__") {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

// remove deletes an instance and waits until it is gone.
func remove(ctx context.Context, instance *v1alpha1.DrasiInstance) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(world.client.Delete(ctx, instance))).To(Succeed())
	Eventually(func() bool {
		err := world.client.Get(ctx, client.ObjectKeyFromObject(instance), &v1alpha1.DrasiInstance{})
		return err != nil && client.IgnoreNotFound(err) == nil
	}).Should(BeTrue(), "the instance is not gone")
}
