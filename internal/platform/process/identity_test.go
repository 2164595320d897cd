//go:build linux

package process

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

func TestParseStat(t *testing.T) {
	fields := " S 7 8 9" + strings.Repeat(" 0", 15) + " 4711 0 0"
	for name, text := range map[string]string{
		"plain": "1 (init)" + fields, "spaces": "1 (a b c)" + fields, "brackets": "1 (x) R 1 2 3)" + fields, "newline": "1 (a\n)" + fields,
	} {
		got, err := parseStat([]byte(text))
		if want := (stat{state: 'S', ppid: 7, session: 9, startTime: 4711}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "1 (init", "1 (init) S 1 2 3", "1 (init) S x" + strings.Repeat(" 0", 20)} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestFindTellsProcessesApart(t *testing.T) {
	own, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	found, err := find(identity{PID: os.Getpid(), StartTime: own.startTime})
	if err != nil || found.dead() {
		t.Fatalf("find: %v", err)
	}
	found.close()
	if found.dead() {
		t.Error("a closed descriptor proves a death")
	}
	for _, id := range []identity{{PID: os.Getpid(), StartTime: own.startTime + 1}, {PID: 1 << 30, StartTime: 1}} {
		if _, err := find(id); !errors.Is(err, errGone) {
			t.Errorf("find %+v: %v", id, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90": "127.0.0.1:8080", "00000000:0050": "0.0.0.0:80",
		"00000000000000000000000000000000:0050": "[::]:80", "00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80", "B80D01200000000067452301EFCDAB89:0001": "[2001:db8::123:4567:89ab:cdef]:1",
	} {
		if got, err := parseAddress(text); err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0100007F", "0100007F:", "0100:0050", "xyz:0050", "0100007F:12345"} {
		if got, err := parseAddress(text); err == nil {
			t.Errorf("%s is %s", text, got)
		}
	}
}

func TestSocketsAreThoseOfTheServerOnly(t *testing.T) {
	h := newHost(t)
	extra := freePort()
	h.ensure(desired("a", "h", "TS_LISTEN="+strconv.Itoa(int(extra))))
	h.ensure(desired("b", "h"))
	first, second := h.running("a", "h"), h.running("b", "h")
	foreign := occupy(t, freePort())
	got, err := h.d.Sockets(t.Context(), ref("a"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[netip.AddrPort]bool{first.API: true, netip.AddrPortFrom(apiAddress(false), extra): true}
	if len(got) != len(want) {
		t.Errorf("sockets %v, want %v", got, want)
	}
	for _, address := range got {
		if !want[address] {
			t.Errorf("sockets %v, want %v; %s and %s are not its own", got, want, second.API, foreign.Addr())
		}
	}
	if _, err := h.d.Sockets(t.Context(), ref("nobody")); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("sockets of nothing: %v", err)
	}
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if _, err := h.d.Sockets(t.Context(), ref("a")); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("sockets of what is stopped: %v", err)
	}
}
