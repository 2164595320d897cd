//go:build linux

package process

import (
	"strconv"
	"strings"
	"testing"
)

func TestWhatServersAreNotGrantedIsTold(t *testing.T) {
	if short := shortOf(openFiles, "0"); len(short) != 0 {
		t.Errorf("nothing is short, and it says %q", short)
	}
	short := strings.Join(shortOf(4096, "200"), "; ")
	for _, want := range []string{"4096 files, not 65536", "LimitNOFILE=", "oom_score_adj, 200"} {
		if !strings.Contains(short, want) {
			t.Errorf("%q says nothing of %q", short, want)
		}
	}
}

func TestWhatIsToldOfLimitsIsTrueOfAServer(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	files, err := strconv.ParseUint(strings.Fields(limitLine(t, o.PID, "Max open files"))[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var message string
	until(t, "limits are tried", func() bool {
		message = h.fingerprint().Message
		return !strings.Contains(message, "could not be tried")
	})
	short := shortOf(files, strings.TrimSpace(kernel(t, o.PID, "oom_score_adj")))
	for _, want := range short {
		if !strings.Contains(message, want) {
			t.Errorf("message %q says nothing of %q", message, want)
		}
	}
	t.Logf("short: %q", short)
	if len(short) == 0 && (strings.Contains(message, "a server can open") || strings.Contains(message, "oom_score_adj")) {
		t.Errorf("nothing is short, and the message is %q", message)
	}
}
