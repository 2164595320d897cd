package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform/process"
)

func TestAnIdentityIsKeptWithTheServers(t *testing.T) {
	dir := t.TempDir()
	first := openIdentity(dir, logr.Discard())
	if again := openIdentity(dir, logr.Discard()); first.text == "" || again.text != first.text || !again.kept {
		t.Errorf("%q, then %q", first.text, again.text)
	}
	if err := os.WriteFile(first.file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if torn := openIdentity(dir, logr.Discard()); torn.text == "" || torn.text == first.text || !torn.kept {
		t.Errorf("%+v in place of an empty one", torn)
	}
}

func TestAnIdentityThatCannotBeKeptIsInMemoryUntilItCan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	i := openIdentity(dir, logr.Discard())
	if i.text == "" || i.kept {
		t.Fatalf("%+v", i)
	}
	l := newLeases(t)
	h := l.heartbeat(nil)
	h.identity = i
	if err := errors.Join(h.acquire(t.Context()), h.beat(t.Context()), os.Mkdir(dir, 0o700), h.beat(t.Context())); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(i.file); err != nil || !bytes.Equal(data, []byte(i.text+"\n")) {
		t.Errorf("%q is kept of %q, %v", data, i.text, err)
	}
}

func TestAnIdentityThatCannotBeReadIsNotWrittenOver(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "identity")
	if err := os.Symlink("identity", file); err != nil { // ELOOP, for root too
		t.Fatal(err)
	}
	i := openIdentity(dir, logr.Discard())
	i.keep()
	if left, err := os.Readlink(file); err != nil || left != "identity" || i.text == "" {
		t.Errorf("%q is left, %v; %+v", left, err, i)
	}
}

func TestAnAgentThatCannotKeepItsIdentityGoesOn(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "identity"), 0o700); err != nil { // neither to be read nor to be written
		t.Fatal(err)
	}
	options := &Options{
		Host: host, StateDir: dir, DrasiServer: "/nowhere", Platforms: []v1alpha1.Platform{v1alpha1.PlatformProcess},
		PortRange: process.PortRange{First: 20000, Last: 20999}, CgroupParent: "none",
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := false
	err := Run(ctx, func() (*rest.Config, error) {
		served = true
		cancel()
		return nil, errors.New("no credentials")
	}, options, logr.Discard())
	if err != nil || !served {
		t.Errorf("it ended with %v, served is %v", err, served)
	}
}
