//go:build linux

package process

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// occupy listens on a port as another program would.
func occupy(t *testing.T, port uint16) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp4", netip.AddrPortFrom(apiAddress(false), port).String())
	if err != nil {
		t.Fatalf("take port %d: %v", port, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func TestAWishedPortIsMetIfNothingHasIt(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	d.APIPort = freePort()
	h.ensure(d)
	if o := h.running("a", "h"); o.API.Port() != d.APIPort {
		t.Errorf("the API is at %s, wished was %d", o.API, d.APIPort)
	}
}

func TestATakenWishGetsAPortOfTheRange(t *testing.T) {
	h := newHost(t)
	wish := freePort()
	occupy(t, wish)
	d := desired("a", "h")
	d.APIPort = wish
	h.ensure(d)
	o := h.running("a", "h")
	if port := o.API.Port(); port < h.options.Ports.First || port > h.options.Ports.Last {
		t.Errorf("the API is at %s", o.API)
	}
	other := desired("b", "h")
	other.APIPort = o.API.Port()
	h.ensure(other)
	if second := h.running("b", "h"); second.API.Port() == o.API.Port() {
		t.Errorf("two instances at %s", second.API)
	}
}

func TestAPortThatWasTakenMeanwhileIsLeftToWhoHasIt(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	kill(t, before.PID, syscall.SIGKILL)
	pause := h.waiting("a", 0)
	occupy(t, before.API.Port())
	clock.Advance(pause)
	until(t, "it is started again", func() bool { return h.inspect("a").Restarts == 1 })
	if after := h.running("a", "h"); after.API.Port() == before.API.Port() {
		t.Errorf("the API is at %s, which is another program's", after.API)
	}
}

func TestWithoutAFreePortItWaits(t *testing.T) {
	h := newHost(t, func(o *Options) { o.Ports.Last = o.Ports.First })
	listener := occupy(t, h.options.Ports.First)
	err := h.d.Ensure(t.Context(), desired("a", "h"))
	wait, ok := errors.AsType[*platform.WaitError](err)
	if !ok || wait.Code != platform.CodePortConflict || wait.After == 0 || !strings.Contains(wait.Message, h.options.Ports.String()) {
		t.Fatalf("Ensure: %v", err)
	}
	if _, err := h.d.Inspect(t.Context(), ref("a")); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("something is left of what was refused: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	h.ensure(desired("a", "h"))
	h.running("a", "h")
}

func TestAComponentsPortHasOneOwner(t *testing.T) {
	h := newHost(t)
	port := freePort()
	loopback, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.1.2.3")
	listen := func(uid, hash, component string, address netip.Addr, port uint16) platform.Desired {
		d := desired(uid, hash)
		d.Listeners = []platform.Listener{{Component: component, Address: address, Port: port}}
		return d
	}
	h.ensure(listen("a", "h", "orders", loopback, port))
	owner := h.running("a", "h")
	h.ensure(desired("b", "h"))
	before := h.running("b", "h")

	err := h.d.Ensure(t.Context(), listen("b", "h2", "events", netip.IPv4Unspecified(), port))
	if platform.CodeOf(err) != platform.CodePortConflict {
		t.Fatalf("Ensure: %v", err)
	}
	for _, word := range []string{"component events", "component orders", "shop/name-of-a"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %s", err, word)
		}
	}
	err = h.d.Ensure(t.Context(), listen("b", "h2", "events", loopback, owner.API.Port()))
	if platform.CodeOf(err) != platform.CodePortConflict || !strings.Contains(err.Error(), "the API of instance shop/name-of-a") {
		t.Errorf("Ensure with another instance's API port: %v", err)
	}
	if after := h.running("b", "h"); after.PID != before.PID {
		t.Error("what ran was touched")
	}
	h.ensure(listen("b", "h3", "events", other, port))
	h.running("b", "h3")

	wish := desired("c", "h")
	wish.APIPort = port
	h.ensure(wish)
	if o := h.running("c", "h"); o.API.Port() == port {
		t.Error("an API got the port of a component")
	}

	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	h.ensure(listen("b", "h4", "events", loopback, port))
	h.running("b", "h4")
}

func TestTheAPINeverGetsThePortOfAnOwnComponent(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	d.APIPort = h.options.Ports.First
	d.Listeners = []platform.Listener{{Component: "sse", Address: apiAddress(true), Port: d.APIPort}}
	h.ensure(d)
	if o := h.running("a", "h"); o.API.Port() == d.APIPort {
		t.Errorf("the API is at %s", o.API)
	}
}

func TestPortsAreKnownAgainAfterAnAgentsRestart(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	d.Listeners = []platform.Listener{{Component: "sse", Address: apiAddress(true), Port: freePort()}}
	h.ensure(d)
	h.running("a", "h")
	h.reopen()
	other := desired("b", "h")
	other.Listeners = d.Listeners
	if err := h.d.Ensure(t.Context(), other); platform.CodeOf(err) != platform.CodePortConflict {
		t.Errorf("Ensure: %v", err)
	}
}

func TestExposeListensOnEveryAddress(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	d.Expose = true
	h.ensure(d)
	if o := h.running("a", "h"); o.API.Addr() != netip.IPv4Unspecified() || !o.Expose {
		t.Errorf("%+v", o)
	}
}

func TestARangeOfEphemeralPortsIsRefused(t *testing.T) {
	for _, within := range []PortRange{{First: 30000, Last: 40000}, {First: 10, Last: 9}, {First: 0, Last: 9}} {
		if _, err := Open(t.Context(), Options{StateDir: t.TempDir(), Executable: serverPath, Ports: within}); err == nil {
			t.Errorf("%s was taken", within)
		}
	}
}

func TestParsePortRange(t *testing.T) {
	for text, want := range map[string]PortRange{"20000-20999": {20000, 20999}, "1-1": {1, 1}, "2-1": {}, "0-1": {}, "1": {}, "1-70000": {}, "a-b": {}, "-1-5": {}} {
		got, err := ParsePortRange(text)
		if (err == nil) != (want != PortRange{}) || err == nil && got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "10.0.0.1", false},
		{"0.0.0.0", "10.0.0.1", true},
		{"0.0.0.0", "0.0.0.0", true},
		{"::", "10.0.0.1", true},
		{"::", "0.0.0.0", true},
		{"::1", "127.0.0.1", false},
		{"0.0.0.0", "::1", false},
		{"::", "::1", true},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
	} {
		a, b := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)
		if overlap(a, b) != c.want || overlap(b, a) != c.want {
			t.Errorf("%s and %s: want %v", a, b, c.want)
		}
	}
}
