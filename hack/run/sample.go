package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	sampleFile      = "config/samples/draas_v1alpha1_drasiinstance.yaml"
	sampleName      = "hello"
	sampleNamespace = "default"
	hostTimeout     = time.Minute
)

func resource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "draas.io", Version: "v1alpha1", Resource: plural}
}

func (s *system) hosts() dynamic.ResourceInterface { return s.objects.Resource(resource("drasihosts")) }

func (s *system) instances() dynamic.ResourceInterface {
	return s.objects.Resource(resource("drasiinstances")).Namespace(sampleNamespace)
}

// waitHost waits until the agent has registered this machine.
func (s *system) waitHost(ctx context.Context) error {
	return s.poll(ctx, hostTimeout, "waiting for DrasiHost "+hostName, func(ctx context.Context) (bool, string, error) {
		host, err := s.hosts().Get(ctx, hostName, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Sprintf("DrasiHost %s: %v", hostName, err), nil
		}
		ready := condition(host, "Ready")
		return ready.status == "True", "DrasiHost " + hostName + ": " + ready.String(), nil
	})
}

// applySample makes the sample, and leaves one that is there as its user left it.
func (s *system) applySample(ctx context.Context) error {
	_, err := s.instances().Get(ctx, sampleName, metav1.GetOptions{})
	switch {
	case err == nil:
		s.keptSample = true
		s.say("DrasiInstance %s is there from an earlier run and is left as it is", sampleName)
		return nil
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("look for DrasiInstance %s: %w", sampleName, err)
	}
	s.say("applying %s", sampleFile)
	return s.kubectl(ctx, "apply", "--server-side", "-n", sampleNamespace, "-f", sampleFile)
}

func (s *system) waitSample(ctx context.Context) error {
	err := s.poll(ctx, s.timeout, "waiting for DrasiInstance "+sampleName, func(ctx context.Context) (bool, string, error) {
		instance, err := s.instances().Get(ctx, sampleName, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Sprintf("DrasiInstance %s: %v", sampleName, err), nil
		}
		current := observed(instance) == instance.GetGeneration()
		ready, stalled := condition(instance, "Ready"), condition(instance, "Stalled")
		if current && stalled.status == "True" {
			return false, "", fmt.Errorf("DrasiInstance %s will not become Ready by waiting: %s", sampleName, stalled)
		}
		s.endpoints = endpoints(instance)
		s.sampleNews = ready.String()
		if !current || ready.status != "True" {
			return false, "DrasiInstance " + sampleName + ": " + s.sampleNews, nil
		}
		// What an earlier run wrote says Ready too, until the agent has looked.
		if silent := unanswered(ctx, s.endpoints); silent != "" {
			return false, "nothing answers at " + silent + " yet", nil
		}
		return true, "", nil
	})
	if err != nil && s.keptSample && ctx.Err() == nil {
		s.say("%v; that is how an earlier run left it: kubectl delete di %s, and the next run makes it anew", err, sampleName)
		return nil
	}
	return err
}

// welcome says what there is and what to try.
func (s *system) welcome() {
	s.say("DrasiInstance %s: %s", sampleName, s.sampleNews)
	for _, e := range s.endpoints {
		s.say("  endpoint %s: %s", e.name, e.url)
	}
	_, _ = fmt.Fprintf(s.out, "\nIn another terminal:\n\n  export KUBECONFIG=%s\n", s.adminKubeconfig())
	if _, err := exec.LookPath("kubectl"); err != nil {
		_, _ = fmt.Fprintf(s.out, "  export PATH=\"$PATH:%s\"\n", filepath.Join(s.dir, "bin"))
	}
	_, _ = fmt.Fprintf(s.out, `
and try:

  kubectl get drasiinstances,drasihosts -o wide
  kubectl describe di %[1]s
  kill -9 $(kubectl get di %[1]s -o jsonpath='{.status.runtime.process.pid}'); kubectl get di %[1]s --watch
  kubectl patch di %[1]s --type merge -p '{"spec":{"state":"Stopped"}}'

Ctrl-C here stops everything, the servers too; the state stays for the next run.

`, sampleName)
}

// cond is the part of a condition that a person reads.
type cond struct{ kind, status, reason, message string }

// String is what a person reads of it.
func (c cond) String() string {
	if c.status == "" {
		return "has no condition " + c.kind + " yet"
	}
	text := fmt.Sprintf("%s=%s %s", c.kind, c.status, c.reason)
	if c.message != "" {
		text += ": " + c.message
	}
	return text
}

func condition(object *unstructured.Unstructured, kind string) cond {
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return cond{kind: kind}
	}
	for _, entry := range conditions {
		c, ok := entry.(map[string]any)
		if !ok || c["type"] != kind {
			continue
		}
		text := func(key string) string { value, _ := c[key].(string); return value }
		return cond{kind, text("status"), text("reason"), text("message")}
	}
	return cond{kind: kind}
}

func observed(object *unstructured.Unstructured) int64 {
	generation, _, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if err != nil {
		return -1
	}
	return generation
}

// endpoint is an address that a server listens at.
type endpoint struct{ name, url string }

// unanswered is the first address at which nothing accepts a connection.
func unanswered(ctx context.Context, endpoints []endpoint) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, e := range endpoints {
		parsed, err := url.Parse(e.url)
		if err != nil {
			return e.url
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", parsed.Host)
		if err != nil {
			return e.url
		}
		_ = conn.Close() // it was only to see whether somebody is there
	}
	return ""
}

// endpoints lists the addresses in the status.
func endpoints(object *unstructured.Unstructured) []endpoint {
	entries, _, err := unstructured.NestedSlice(object.Object, "status", "endpoints")
	if err != nil {
		return nil
	}
	var found []endpoint
	for _, entry := range entries {
		e, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		name, _ := e["name"].(string)
		if address, ok := e["url"].(string); ok {
			found = append(found, endpoint{name, address})
		}
	}
	return found
}
