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

// Bounded cuts a text at a character's edge, to at most limit bytes.
func Bounded(text string, limit int) string {
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

// boundedTail cuts a text at a line's or a character's edge and keeps its end: the last lines are what counts.
func boundedTail(text string, limit int) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "?")
	if len(text) <= limit {
		return text
	}
	text = text[len(text)-limit:]
	if _, lines, found := strings.Cut(text, "\n"); found && lines != "" {
		return lines
	}
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}

// lastWords are what a server said before it ended: the last lines of standard error, and where no error is among them, the last errors that it
// logged on standard output. A start that hung, or a server that was killed, says nothing on standard error.
func lastWords(exit *platform.Exit) string {
	logged := ""
	if !hasError(exit.Stderr) {
		logged = Bounded(drasi.LastErrors(exit.Stdout), maxMessage)
	}
	if logged == "" {
		return boundedTail(exit.Stderr, maxTerminationMessage)
	}
	const title = "last errors on standard output:\n"
	words := boundedTail(exit.Stderr, maxTerminationMessage-len(title)-len(logged)-len("\n"))
	if words != "" {
		words += "\n"
	}
	return words + title + logged
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
// limit is the memory limit that it had, where that is known.
func exitMessage(exit *platform.Exit, limit string) string {
	how := "the server ended"
	switch {
	case exit.Reason == platform.ExitOOMKilled:
		how = starvedMessage(exit.OwnLimit, limit)
	case exit.Signal != 0:
		how = fmt.Sprintf("the server was killed by signal %d", exit.Signal)
	case exit.Code != nil:
		how = fmt.Sprintf("the server exited with code %d", *exit.Code)
	case exit.Reason == platform.ExitUnknown:
		how = "the server ended while nobody watched, its exit code is not known"
	}
	words, logged := drasi.ClassifyExit(exit.Stderr).Message, drasi.LastErrors(exit.Stdout)
	switch {
	case logged != "" && !hasError(exit.Stderr):
		return how + "; its last errors: " + logged
	case words != "":
		return how + ": " + words
	}
	return how
}

// starvedMessage says for which want of memory the kernel killed a server.
func starvedMessage(own *bool, limit string) string {
	switch {
	case own == nil:
		return "the kernel killed the server for want of memory; whether for a limit of its own is not known"
	case !*own:
		return "the kernel killed the server for want of memory, and not for a limit of its own: the host had none left, or a limit of more than this server was hit"
	case limit == "":
		return "the kernel killed the server for its memory limit"
	default:
		return fmt.Sprintf("the kernel killed the server for its memory limit of %s (spec.resources.limits.memory)", limit)
	}
}

// hasError says whether a server said on standard error why it ended (contract 6.2).
func hasError(stderr string) bool {
	return strings.Contains("\n"+stderr, "\nError: ")
}
