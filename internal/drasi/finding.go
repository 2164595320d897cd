package drasi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFindings is how many findings a plan holds at most, without the one that counts the rest.
const maxFindings = 16

// Finding is something that forbids running a configuration.
type Finding struct {
	// Field is the path in the object, for instance spec.config.sources[0].port.
	Field string
	// Message says what is wrong and what helps.
	Message string
	// Conflict says that two listeners of the object want the same port.
	Conflict bool
}

// String is the finding as people read it.
func (f Finding) String() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// report gathers what a plan has to say.
type report struct {
	findings []Finding
	notices  []string
}

func (r *report) refuse(field, format string, args ...any) {
	r.add(Finding{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (r *report) conflict(field, format string, args ...any) {
	r.add(Finding{Field: field, Message: fmt.Sprintf(format, args...), Conflict: true})
}

// Bounds of a finding and a notice: keys and depths of the user's own make both as long as he likes.
const (
	maxField       = 200
	maxFindingText = 600
)

func (r *report) add(f Finding) {
	f.Field, f.Message = shortened(f.Field, maxField), shortened(f.Message, maxFindingText)
	r.findings = append(r.findings, f)
}

func (r *report) notice(format string, args ...any) {
	r.notices = append(r.notices, shortened(fmt.Sprintf(format, args...), maxFindingText))
}

// result is what was gathered: findings once each, in the order of the configuration and bounded; notices once each, sorted and bounded.
func (r *report) result() ([]Finding, []string) {
	findings := slices.Clone(r.findings)
	slices.SortStableFunc(findings, func(a, b Finding) int { return comparePositions(a.Field, b.Field) })
	findings = onceEach(findings)
	if more := len(findings) - maxFindings; more > 0 {
		conflict := !slices.ContainsFunc(findings, func(f Finding) bool { return !f.Conflict })
		findings = append(findings[:maxFindings], Finding{Message: fmt.Sprintf("and %d more", more), Conflict: conflict})
	}
	notices := slices.Clone(r.notices)
	slices.Sort(notices)
	notices = slices.Compact(notices)
	if more := len(notices) - maxFindings; more > 0 {
		notices = append(notices[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return findings, notices
}

func onceEach(findings []Finding) []Finding {
	seen := make(map[Finding]bool, len(findings))
	return slices.DeleteFunc(findings, func(f Finding) bool {
		was := seen[f]
		seen[f] = true
		return was
	})
}

// topKeys is the order in which people write a configuration.
func topKeys() []string {
	return []string{
		"instances", "id", "host", "port", "logLevel", "persistIndex", "enableArchive", "enableUi", "solutionsDir", "stateStore", "secretStore",
		"defaultPriorityQueueCapacity", "defaultDispatchBufferCapacity", "plugins", "corsAllowedOrigins", "identityProviders",
		"bootstrapProviders", "sources", "queries", "reactions",
	}
}

// comparePositions orders paths as the configuration does: by key, then by the index in its list.
func comparePositions(a, b string) int {
	rankA, indexA := position(a)
	rankB, indexB := position(b)
	if rankA != rankB {
		return rankA - rankB
	}
	return indexA - indexB
}

func position(path string) (rank, index int) {
	rest, found := strings.CutPrefix(path, configPath+".")
	if !found {
		if path == configPath {
			return -1, 0
		}
		return len(topKeys()) + 1, 0
	}
	if inner, nested := strings.CutPrefix(rest, "instances[0]."); nested {
		rest = inner
	}
	key, _, _ := strings.Cut(rest, ".")
	key, number, _ := strings.Cut(key, "[")
	rank = slices.Index(topKeys(), key)
	if rank < 0 {
		rank = len(topKeys())
	}
	index, _ = strconv.Atoi(strings.TrimSuffix(number, "]"))
	return rank, index
}

// quoted is a text of the user's as it stands in a message: quoted, and shortened where it is long.
func quoted(text string) string {
	return strconv.Quote(shortened(text, 64))
}

// shortened cuts a text to at most limit bytes, between characters, and marks the cut.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}

// child is the path of a key below a path.
func child(path, key string) string {
	if isPlainKey(key) {
		return path + "." + key
	}
	return path + "[" + quoted(key) + "]"
}

// element is the path of an item of a list.
func element(path string, index int) string {
	return path + "[" + strconv.Itoa(index) + "]"
}

func isPlainKey(key string) bool {
	if key == "" || len(key) > 64 {
		return false
	}
	for _, c := range []byte(key) {
		if !isWordByte(c) && c != '-' {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
