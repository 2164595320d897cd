package drasi

import (
	"strings"
)

// ExitProblem is a class of failed starts.
type ExitProblem string

const (
	// ExitInvalidConfig says: the server refuses the configuration, and will again.
	ExitInvalidConfig ExitProblem = "InvalidConfig"
	// ExitPluginsMissing says: plugins that the configuration needs are not there.
	ExitPluginsMissing ExitProblem = "PluginsMissing"
	// ExitPortConflict says: the address of a component's listener is in use.
	ExitPortConflict ExitProblem = "PortConflict"
	// ExitAPIPortTaken says: the address of the API is in use.
	ExitAPIPortTaken ExitProblem = "APIPortTaken"
	// ExitOther says: anything else. It may go away by itself.
	ExitOther ExitProblem = "Other"
)

// maxExitMessage bounds the message of an ExitClass, in bytes.
const maxExitMessage = 1000

// ExitClass tells why a start failed.
type ExitClass struct {
	Problem ExitProblem
	// Message are the server's words: one paragraph, bounded, the same for the same failure. It is empty where the server said nothing.
	Message string
}

// exitRule classifies an error by how its text begins and what it contains.
type exitRule struct {
	begins   string
	contains string
	problem  ExitProblem
}

// exitRules are tried in order (1.4, 6.2, and the recordings of failed starts).
func exitRules() []exitRule {
	return []exitRule{
		{begins: "Address already in use", problem: ExitAPIPortTaken},
		{begins: "Missing plugins required by configuration", problem: ExitPluginsMissing},
		{begins: "No secret store plugin registered", problem: ExitPluginsMissing},
		{begins: "Failed to start some", contains: "Address already in use", problem: ExitPortConflict},
		{begins: "Failed to parse config file", problem: ExitInvalidConfig},
		{begins: "Unknown fields in configuration", problem: ExitInvalidConfig},
		{begins: "Validation error", problem: ExitInvalidConfig},
		{begins: "Failed to create source", problem: ExitInvalidConfig},
		{begins: "Failed to create reaction", problem: ExitInvalidConfig},
		{begins: "Failed to create DrasiLib", problem: ExitInvalidConfig},
		{begins: "Source references unknown identityProvider", problem: ExitInvalidConfig},
		{begins: "Reaction references unknown identityProvider", problem: ExitInvalidConfig},
	}
}

// ClassifyExit tells from the last lines of a server's standard error why its start failed.
func ClassifyExit(stderr string) ExitClass {
	paragraph, isError := lastError(stderr)
	out := ExitClass{Problem: ExitOther, Message: oneLine(paragraph, maxExitMessage)}
	if !isError {
		return out
	}
	for _, rule := range exitRules() {
		if strings.HasPrefix(paragraph, rule.begins) && strings.Contains(paragraph, rule.contains) {
			out.Problem = rule.problem
			break
		}
	}
	return out
}

// lastError is the text of the last error that the server printed, without its list of causes where that says nothing new; where there is none,
// the last lines.
func lastError(stderr string) (paragraph string, isError bool) {
	var lines []string
	for line := range strings.Lines(stderr) {
		lines = append(lines, plainLine(strings.TrimRight(line, "\r\n")))
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if text, found := strings.CutPrefix(lines[i], "Error: "); found {
			lines[i] = text
			return withoutRepeatedCause(strings.Join(lines[i:], "\n")), true
		}
	}
	const tail = 5
	return strings.Join(lines[max(0, len(lines)-tail):], "\n"), false
}

// withoutRepeatedCause cuts off a single cause that the error's own text ends with.
func withoutRepeatedCause(text string) string {
	head, causes, found := strings.Cut(text, "\nCaused by:\n")
	if !found {
		return text
	}
	if strings.Contains(folded(head), folded(causes)) {
		return head
	}
	return text
}

func folded(text string) string { return strings.Join(strings.Fields(text), " ") }

// maxErrors is how many lines LastErrors returns at most.
const maxErrors = 3

// LastErrors returns the last ERROR lines of a server's standard output, different ones, oldest first, without time stamps and colours: where
// a start hangs its reason is only there (6.2).
func LastErrors(stdout string) string {
	var out []string
	seen := map[string]bool{}
	lines := strings.Split(stdout, "\n")
	for i := len(lines) - 1; i >= 0 && len(out) < maxErrors; i-- {
		words, isError := strings.CutPrefix(strings.TrimLeft(plainLine(lines[i]), " "), "ERROR ")
		if words = oneLine(words, maxExitMessage/maxErrors); isError && words != "" && !seen[words] {
			seen[words] = true
			out = append([]string{words}, out...)
		}
	}
	return strings.Join(out, "\n")
}
