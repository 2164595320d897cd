package integration_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// taken listens on a free port of loopback and returns it; the port is held until the spec ends.
func taken() int32 {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = listener.Close() })
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

// free returns a port of loopback that nothing holds at the moment.
func free() int32 {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	Expect(listener.Close()).To(Succeed())
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

// sse is a configuration whose reaction listens.
func sse(port int32) string {
	return fmt.Sprintf(`
sources:
- {kind: mock, id: counter, dataType: {type: counter}, intervalMs: 1000}
queries:
- {id: all, queryLanguage: Cypher, query: "MATCH (c:Counter) RETURN c.value AS value", sources: [{sourceId: counter}]}
reactions:
- {kind: sse, id: stream, queries: [all], port: %d}
`, port)
}

// webhook is a configuration whose source listens.
func webhook(port int32) string {
	return fmt.Sprintf(`
sources:
- {kind: http, id: ingest, host: 127.0.0.1, port: %d}
queries:
- {id: all, queryLanguage: Cypher, query: "MATCH (d:Device) RETURN d.name AS name", sources: [{sourceId: ingest}]}
`, port)
}

var _ = Describe("Faults that users cause", func() {
	// refusals are refused before anything runs; each names the field.
	type refusal struct {
		config  string
		reason  string
		message string
	}
	DescribeTable("are refused before anything runs, naming the field", func(ctx SpecContext, name string, r refusal) {
		h := startHost(ctx)
		instance := newInstance("fault-"+name, h, r.config)
		create(ctx, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, r.reason)
		Expect(condition(refused, v1alpha1.ConditionReady).Message).To(ContainSubstring(r.message))
		Expect(refused.Status.Host).To(BeEmpty())
		Expect(starts(instance.Name)).To(BeZero())
	},
		Entry("unknown source", "unknown-source", refusal{
			`queries: [{id: q, query: "MATCH (n) RETURN n", sources: [{sourceId: nobody}]}]`, v1alpha1.ReasonInvalidConfig, "spec.config.queries[0].sources[0].sourceId",
		}),
		Entry("unknown query", "unknown-query", refusal{
			`reactions: [{kind: log, id: r, queries: [nobody]}]`, v1alpha1.ReasonInvalidConfig, "spec.config.reactions[0].queries[0]",
		}),
		Entry("duplicate id", "duplicate", refusal{
			`{sources: [{kind: mock, id: same}], queries: [{id: same, query: "MATCH (n) RETURN n", sources: [{sourceId: same}]}]}`, v1alpha1.ReasonInvalidConfig, "spec.config.queries[0].id",
		}),
		Entry("unset variable", "unset", refusal{
			`sources: [{kind: postgres, id: db, database: d, user: u, password: "${NOT_SET}"}]`, v1alpha1.ReasonInvalidConfig, "spec.config.sources[0].password",
		}),
		Entry("text for a number", "type", refusal{
			`{port: "8080"}`, v1alpha1.ReasonInvalidConfig, "spec.config.port",
		}),
		Entry("a port of two components", "clash", refusal{
			`{sources: [{kind: http, id: a, host: 127.0.0.1, port: 19321}, {kind: http, id: b, host: 127.0.0.1, port: 19321}]}`, v1alpha1.ReasonPortConflict, "19321",
		}),
		Entry("a state store outside", "climb", refusal{
			`{stateStore: {kind: redb, path: ../../outside.redb}}`, v1alpha1.ReasonInvalidConfig, "spec.config.stateStore.path",
		}),
	)

	It("refuses what cannot be written into a configuration file, also in keys that it does not know", func(ctx SpecContext) {
		h := startHost(ctx)
		for name, value := range map[string]string{"nul": `"a\u0000b"`, "long": `"` + strings.Repeat("x", 200<<10) + `"`} {
			instance := newInstance("fault-text-"+name, h, simple)
			instance.Spec.Config.Sources[0].Extra["unknownToUs"] = apiextensionsv1.JSON{Raw: []byte(value)}
			create(ctx, instance)
			refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
			Expect(condition(refused, "Ready").Message).To(ContainSubstring("spec.config.sources[0].unknownToUs"))
			Expect(starts(instance.Name)).To(BeZero())
		}
	})

	It("never takes an empty server for Ready: a wrong path of the configuration gives a healthy one", func(ctx SpecContext) {
		// The executable loses its configuration, as one started in a wrong directory does: contract 1.4.
		script := filepath.Join(world.dir, "forgetful")
		Expect(os.WriteFile(script, []byte("#!/bin/sh\ncase $1 in --version) exec "+world.server+" --version;; esac\nshift 2\nexec "+world.server+" --config elsewhere/server.yaml \"$@\"\n"), 0o755)).To(Succeed())
		h := startHost(ctx, "--drasi-server", script)
		instance := newInstance("fault-forgetful", h, simple)
		create(ctx, instance)
		wrong := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonComponentError)
		Expect(condition(wrong, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue), "it answers, and is not what was asked for")
	})

	It("kills a server that does not stop in time, with its children, and calls it no crash", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-stubborn", h, simple)
		instance.Spec.TerminationGracePeriodSeconds = 1
		instance.Spec.Env = append(instance.Spec.Env,
			v1alpha1.EnvVar{Name: "DRASISIM_IGNORE_SIGINT", Value: ptr.To("1")}, v1alpha1.EnvVar{Name: "DRASISIM_CHILDREN", Value: ptr.To("3")})
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		Expect(session(pid(running))).To(HaveLen(4), "the server and its children")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
		stopped := await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		Expect(session(pid(running))).To(BeEmpty())
		Expect(restarts(stopped)).To(BeZero())
		Expect(stopped.Status.LastTermination).To(BeNil())
	})

	It("says that there is no such host, that it is cordoned, that it lacks the version", func(ctx SpecContext) {
		h := startHost(ctx)
		lost := newInstance("fault-no-host", nil, simple)
		lost.Spec.Placement = &v1alpha1.Placement{Host: "nowhere"}
		create(ctx, lost)
		DeferCleanup(remove, lost)
		Expect(condition(await(ctx, lost, metav1.ConditionFalse, v1alpha1.ReasonHostNotFound), "Ready").Message).To(ContainSubstring("nowhere"))

		object := &v1alpha1.DrasiHost{}
		Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		cordon := func(on string) {
			Expect(world.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"unschedulable":`+on+`}}`)))).To(Succeed())
		}
		// The controller sees hosts and instances by watches of their own: an instance that nobody takes waits until it has seen the host as it is.
		old := newInstance("fault-version", h, simple)
		old.Spec.Version = "9.9.9"
		create(ctx, old)
		Expect(condition(await(ctx, old, metav1.ConditionFalse, v1alpha1.ReasonVersionUnavailable), "Ready").Message).To(And(ContainSubstring("9.9.9"), ContainSubstring(h.name)))
		cordon("true")
		Expect(condition(await(ctx, old, metav1.ConditionFalse, v1alpha1.ReasonHostCordoned), "Ready").Message).To(ContainSubstring(h.name))
		instance := newInstance("fault-cordoned", h, simple)
		create(ctx, instance)
		await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonHostCordoned)
		cordon("null")
		awaitRunning(ctx, instance)
		await(ctx, old, metav1.ConditionFalse, v1alpha1.ReasonVersionUnavailable)
		change(ctx, old, func(i *v1alpha1.DrasiInstance) { i.Spec.Version = "0.2.2" })
		awaitRunning(ctx, old)
	})

	It("gives no instance to a host with a namespaceSelector or out of service", func(ctx SpecContext) {
		h := startHost(ctx)
		object := &v1alpha1.DrasiHost{}
		Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		patch := func(body string) {
			Expect(world.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(body)))).To(Succeed())
		}
		patch(`{"spec":{"namespaceSelector":{"matchLabels":{"team":"a"}}}}`)
		// Of a version that the host does not have: else it would be placed by a controller that has not seen the host's change yet.
		instance := newInstance("fault-selector", h, simple)
		instance.Spec.Version = "9.9.9"
		create(ctx, instance)
		await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNamespaceNotAdmitted)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Version = "0.2.2" })
		await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNamespaceNotAdmitted)
		patch(`{"spec":{"namespaceSelector":null,"outOfService":true}}`)
		await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNoHost)
		patch(`{"spec":{"outOfService":null}}`)
		awaitRunning(ctx, instance)
	})

	It("takes another API port of the range where the wished one is taken, and says so", func(ctx SpecContext) {
		h := startHost(ctx)
		port := taken()
		instance := newInstance("fault-api-port", h, simple)
		instance.Spec.Config.Port = v1alpha1.Value{Raw: []byte(strconv.Itoa(int(port)))}
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		Expect(endpoint(running, "api")).NotTo(HaveSuffix(":" + strconv.Itoa(int(port))))
		Expect(condition(running, v1alpha1.ConditionConfigValid).Message).To(ContainSubstring(strconv.Itoa(int(port))))
		Expect(loaded(ctx, running, instance.Name)).To(ConsistOf("counter", "all", "print"))
	})

	It("uses the wished API port where it is free", func(ctx SpecContext) {
		h := startHost(ctx)
		port := free()
		instance := newInstance("fault-api-wish", h, simple)
		instance.Spec.Config.Port = v1alpha1.Value{Raw: []byte(strconv.Itoa(int(port)))}
		create(ctx, instance)
		Expect(endpoint(awaitRunning(ctx, instance), "api")).To(Equal("http://127.0.0.1:" + strconv.Itoa(int(port))))
	})

	It("names the component whose port is taken, also one that shows Running all the same", func(ctx SpecContext) {
		h := startHost(ctx)
		port := taken()
		source := newInstance("fault-source-port", h, webhook(port))
		create(ctx, source)
		Expect(condition(await(ctx, source, metav1.ConditionFalse, v1alpha1.ReasonPortConflict), "Ready").Message).To(ContainSubstring("ingest"))

		port = taken()
		reaction := newInstance("fault-sse-port", h, sse(port))
		create(ctx, reaction)
		conflict := await(ctx, reaction, metav1.ConditionFalse, v1alpha1.ReasonPortConflict)
		Expect(condition(conflict, "Ready").Message).To(And(ContainSubstring("stream"), ContainSubstring(strconv.Itoa(int(port)))))
		Expect(condition(conflict, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue))
		for _, c := range conflict.Status.Components {
			Expect(c.Status).To(Equal("Running"), "the server itself says so")
		}
	})

	It("does not place two instances that want one port on one host", func(ctx SpecContext) {
		h := startHost(ctx)
		port := free()
		first, second := newInstance("fault-port-first", h, sse(port)), newInstance("fault-port-second", h, sse(port))
		create(ctx, first)
		Expect(endpoint(awaitRunning(ctx, first), "stream")).To(Equal(fmt.Sprintf("http://127.0.0.1:%d/events", port)))
		create(ctx, second)
		Expect(condition(await(ctx, second, metav1.ConditionFalse, v1alpha1.ReasonPortConflict), "Ready").Message).
			To(And(ContainSubstring("stream"), ContainSubstring(first.Name), ContainSubstring(h.name)))
		remove(ctx, first)
		awaitRunning(ctx, second)
	})

	It("reports a query whose text is wrong, in the server's words", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-query", h, simple)
		instance.Spec.Config.Queries[0].Query = "MATCH (c:Counter RETURN"
		create(ctx, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
		Expect(condition(refused, "Ready").Message).To(ContainSubstring("all"))
		Expect(condition(refused, "Stalled").Status).To(Equal(metav1.ConditionTrue))
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			i.Spec.Config.Queries[0].Query = "MATCH (c:Counter) RETURN c.value AS v"
		})
		awaitRunning(ctx, instance)
	})

	It("names the plugins that are missing on the host and leaves alone what runs", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-plugin", h, simple)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			i.Spec.Config.Reactions = append(i.Spec.Config.Reactions, parse(`reactions: [{kind: carrier-pigeon, id: p, queries: [all]}]`).Reactions...)
		})
		missing := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonPluginsMissing)
		Expect(condition(missing, "Ready").Message).To(ContainSubstring("reaction/carrier-pigeon"))
		Expect(condition(missing, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue))
		Expect(pid(missing)).To(Equal(pid(running)))
	})

	It("tells a server that exits at its start, in its words, and recovers at once when the spec is mended", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-exit", h, simple)
		instance.Spec.Env = append(instance.Spec.Env,
			v1alpha1.EnvVar{Name: "DRASISIM_CRASH_FILE", Value: ptr.To("/proc/self/exe")},
			v1alpha1.EnvVar{Name: "DRASISIM_CRASH_STDERR", Value: ptr.To("Error: the moon is in the way")})
		create(ctx, instance)
		crashed := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonCrashLoopBackOff)
		Expect(condition(crashed, "Ready").Message).To(And(ContainSubstring("code 1"), ContainSubstring("the moon is in the way")))
		Expect(crashed.Status.LastTermination.Message).To(ContainSubstring("the moon is in the way"))
		Expect(*crashed.Status.LastTermination.ExitCode).To(Equal(int32(1)))
		Eventually(func() string { return kubectl(ctx, "describe", "drasiinstance", instance.Name) }).
			Should(MatchRegexp(`(?m)^\s+Warning\s+CrashLoopBackOff\s.*the moon is in the way`), "an Event tells it too")
		Eventually(func() int32 { return restarts(fetch(ctx, instance)) }).Should(BeNumerically(">=", 4), "it is tried again")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Env = i.Spec.Env[:1] })
		awaitRunning(ctx, instance)
	})

	It("gives a start that the server refuses the reason InvalidConfig, in the server's words", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-refused", h, simple)
		instance.Spec.Config.Sources[0].Extra["nobodyKnowsThis"] = instance.Spec.Config.Sources[0].Extra["intervalMs"]
		create(ctx, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
		Expect(condition(refused, "Ready").Message).To(ContainSubstring("Failed to create source"))
		Expect(condition(refused, "Stalled").Status).To(Equal(metav1.ConditionTrue))
	})

	It("leaves a good server untouched under an invalid generation", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-generation", h, simple)
		create(ctx, instance)
		good := awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Queries[0].Sources[0].SourceID = "nobody" })
		bad := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
		Expect(pid(bad)).To(Equal(pid(good)))
		Expect(condition(bad, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue))
		Expect(condition(bad, v1alpha1.ConditionComponentsReady).Status).To(Equal(metav1.ConditionTrue))
		Expect(loaded(ctx, bad, instance.Name)).To(ConsistOf("counter", "all", "print"))

		By("restarting what crashes meanwhile, with the good generation")
		crash(bad)
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, v1alpha1.ConditionComponentsReady).Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Queries[0].Sources[0].SourceID = "counter" })
		mended := awaitRunning(ctx, instance)
		Expect(starts(instance.Name)).To(Equal(2), "the mended generation is the one that runs: no restart")
		Expect(restarts(mended)).To(Equal(int32(1)))
	})

	It("reports a start that outlasts its deadline and kills nothing for it", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-deadline", h, simple)
		instance.Spec.StartupDeadlineSeconds = 2
		instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_SLOW_START_MS", Value: ptr.To("9000")})
		create(ctx, instance)
		await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonStartupDeadlineExceeded)
		awaitRunning(ctx, instance)
		Expect(starts(instance.Name)).To(Equal(1))
	})

	It("never takes another server on the port for its own", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("fault-hang", h, simple)
		instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_HANG", Value: ptr.To("1")})
		create(ctx, instance)
		var starting *v1alpha1.DrasiInstance
		Eventually(func(g Gomega) {
			// It may be told that it starts before there is a process.
			starting = await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonStarting)
			g.Expect(starting.Status.Runtime).NotTo(BeNil())
			g.Expect(starting.Status.Runtime.Process).NotTo(BeNil())
			g.Expect(starting.Status.Runtime.Process.PID).NotTo(BeZero())
		}).Should(Succeed())
		Expect(starting.Status.Endpoints).To(BeEmpty())

		By("answering on its port in its place")
		port := apiPort(starting)
		twin, err := net.Listen("tcp", "127.0.0.1:"+port)
		Expect(err).NotTo(HaveOccurred())
		serveTwin(twin, instance.Name)
		Consistently(func() metav1.ConditionStatus { return condition(fetch(ctx, instance), "Ready").Status }, "1500ms").Should(Equal(metav1.ConditionFalse))
	})

	It("passes on strings of every kind as they were written", func(ctx SpecContext) {
		h := startHost(ctx)
		text := "quotes \" ' colon: # hash\nnew line\u0085next \u2028 ${NOT_A_REFERENCE} in text 😀 \\ end"
		instance := newInstance("fault-strings", h, simple)
		instance.Spec.Config.Reactions[0].ID = "id: with # \"all\"\nof it 😀"
		instance.Spec.Config.Queries[0].Query = "MATCH (c:Counter) WHERE c.text <> '" + "x' RETURN c.value AS value /* " + text + " */"
		instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "LONG", Value: ptr.To(string(make64K()))})
		create(ctx, instance)
		Eventually(func(g Gomega) {
			g.Expect(condition(fetch(ctx, instance), v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue), describe(fetch(ctx, instance)))
		}).Should(Succeed())
		latest := fetch(ctx, instance)
		Expect(loaded(ctx, latest, instance.Name)).To(ContainElement("id: with # \"all\"\nof it 😀"))
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid(latest)))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(environment)).To(ContainSubstring("LONG=" + string(make64K())))
		Expect(string(environment)).NotTo(ContainSubstring("DRAAS_TEST_CANARY"), "the agent's environment is not the server's")
	})
})

// session lists the living processes of a session.
func session(leader int) (members []int) {
	GinkgoHelper()
	entries, err := os.ReadDir("/proc")
	Expect(err).NotTo(HaveOccurred())
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil || !alive(number) {
			continue
		}
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", number))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); fields[3] == strconv.Itoa(leader) {
			members = append(members, number)
		}
	}
	return members
}

// make64K is a long value with characters that are easily lost.
func make64K() []byte {
	value := make([]byte, 0, 64<<10)
	for len(value) < 64<<10-16 {
		value = append(value, "a\"b'c$d{e}\tf\n#g"...)
	}
	return value
}
