package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func quiet(out *bytes.Buffer) *system {
	return newSystem(options{}, out, func(error) {})
}

func TestPollSaysWhatItSawLastWhenTimeIsUp(t *testing.T) {
	var out bytes.Buffer
	err := quiet(&out).poll(t.Context(), 300*time.Millisecond, "waiting for x", func(context.Context) (bool, string, error) {
		return false, "x is Starting", nil
	})
	if err == nil || err.Error() != "waiting for x: not within 300ms: last seen: x is Starting" {
		t.Errorf("got %v", err)
	}
	// Not even once where asking outlasts the time.
	if strings.Count(out.String(), "x is Starting") > 1 {
		t.Errorf("the same news within two seconds is to be said once:\n%s", &out)
	}
}

func TestPollEndsWithTheCauseOfTheRunsEnd(t *testing.T) {
	died := errors.New("etcd exited")
	ctx, cancel := context.WithCancelCause(t.Context())
	var out bytes.Buffer
	err := quiet(&out).poll(ctx, time.Hour, "waiting for x", func(context.Context) (bool, string, error) {
		cancel(died)
		return false, "", nil
	})
	if !errors.Is(err, died) {
		t.Errorf("got %v, want %v", err, died)
	}
}

func TestPollGivesUpWhereNoWaitingHelps(t *testing.T) {
	hopeless := errors.New("hopeless")
	var out bytes.Buffer
	err := quiet(&out).poll(t.Context(), time.Hour, "waiting for x", func(context.Context) (bool, string, error) {
		return false, "", hopeless
	})
	if !errors.Is(err, hopeless) {
		t.Errorf("got %v, want %v", err, hopeless)
	}
}

func TestReadyOfAnEarlierRunIsNotBelievedUntilSomethingAnswers(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := []endpoint{{"api", "http://" + l.Addr().String() + "/path"}}
	if got := unanswered(t.Context(), address); got != "" {
		t.Errorf("somebody listens at %s", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := unanswered(t.Context(), address); got != address[0].url {
		t.Errorf("nobody listens, got %q", got)
	}
}

func TestStatusIsReadAsAPersonWould(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"observedGeneration": int64(2),
		"conditions": []any{
			map[string]any{"type": "Live", "status": "False", "reason": "Starting", "message": "no"},
			map[string]any{"type": "Ready", "status": "True", "reason": "Running", "message": "all well"},
		},
		"endpoints": []any{map[string]any{"name": "api", "port": int64(20000), "url": "http://127.0.0.1:20000"}},
	}}}
	if got := condition(object, "Ready").String(); got != "Ready=True Running: all well" {
		t.Errorf("condition: %q", got)
	}
	if got := condition(object, "Stalled").String(); got != "has no condition Stalled yet" {
		t.Errorf("absent condition: %q", got)
	}
	if got := observed(object); got != 2 {
		t.Errorf("observed generation: %d", got)
	}
	if got := endpoints(object); !slices.Equal(got, []endpoint{{"api", "http://127.0.0.1:20000"}}) {
		t.Errorf("endpoints: %q", got)
	}
}
