package status

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// maxMessage bounds a condition's message, in bytes. The API's own bound is 32,768; people read less.
const maxMessage = 2048

// bounded cuts a text at a character's edge.
func bounded(text string, limit int) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "\uFFFD")
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// findingsMessage joins findings into one line each.
func findingsMessage(findings []drasi.Finding) string {
	lines := make([]string, 0, len(findings))
	for _, finding := range findings {
		lines = append(lines, finding.String())
	}
	return strings.Join(lines, "; ")
}

// exitMessage says how a server ended, in the server's own words where there are any. It has no part that differs from one try to the next.
func exitMessage(exit *platform.Exit) string {
	how := "the server ended"
	switch {
	case exit.Reason == platform.ExitOOMKilled:
		how = "the server was killed by the kernel for its memory limit"
	case exit.Signal != 0:
		how = fmt.Sprintf("the server was killed by signal %d", exit.Signal)
	case exit.Code != nil:
		how = fmt.Sprintf("the server exited with code %d", *exit.Code)
	case exit.Reason == platform.ExitUnknown:
		how = "the server ended while nobody watched, its exit code is not known"
	}
	if words := drasi.ClassifyExit(exit.Stderr).Message; words != "" {
		return how + ": " + words
	}
	if words := drasi.LastErrors(exit.Stdout); words != "" {
		return how + "; its last errors: " + words
	}
	return how
}
