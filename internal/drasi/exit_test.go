package drasi

import (
	"strings"
	"testing"
)

// exitTexts are the decisive lines of failed starts, as the server printed them.
var exitTexts = map[string]struct {
	stderr  string
	problem ExitProblem
	message string
}{
	"parse error":         {"Error: Failed to parse config file '/x/server.yaml': YAML error: duplicate field `id`, JSON error: duplicate field `id` at line 1 column 46\n", ExitInvalidConfig, "Failed to parse config file '/x/server.yaml': YAML error: duplicate field `id`, JSON error: duplicate field `id` at line 1 column 46"},
	"validation":          {"Error: Validation error: Invalid port 0: port must be between 1 and 65535\n\nCaused by:\n    Invalid port 0: port must be between 1 and 65535\n", ExitInvalidConfig, "Validation error: Invalid port 0: port must be between 1 and 65535"},
	"template":            {"Error: Unknown fields in configuration: Template syntax error: a\n   |\n 0 | {{#if x}\n\n\nCaused by:\n    Template syntax error: a\n       |\n     0 | {{#if x}\n    \n", ExitInvalidConfig, "Unknown fields in configuration: Template syntax error: a | 0 | {{#if x}"},
	"source":              {"Error: Failed to create source 'm': unknown field `bogus`, expected `dataType` or `intervalMs`\n", ExitInvalidConfig, "Failed to create source 'm': unknown field `bogus`, expected `dataType` or `intervalMs`"},
	"reaction":            {"Error: Failed to create reaction 'l': unknown field `routes`\n", ExitInvalidConfig, "Failed to create reaction 'l': unknown field `routes`"},
	"library":             {"Error: Failed to create DrasiLib: query 'm' already exists in the graph\n", ExitInvalidConfig, "Failed to create DrasiLib: query 'm' already exists in the graph"},
	"identity":            {"Error: Source references unknown identityProvider 'zz'. Declared providers: []\n", ExitInvalidConfig, "Source references unknown identityProvider 'zz'. Declared providers: []"},
	"reaction's identity": {"Error: Reaction references unknown identityProvider 'zz'. Declared providers: []\n", ExitInvalidConfig, "Reaction references unknown identityProvider 'zz'. Declared providers: []"},
	"plugins":             {"Error: Missing plugins required by configuration:\n  - source/nope (referenced by source 'm')\n    available source kinds: grpc\nInstall the missing plugins or correct the 'kind' values in your config.\n", ExitPluginsMissing, "Missing plugins required by configuration: - source/nope (referenced by source 'm') available source kinds: grpc Install the missing plugins or correct the 'kind' values in your config."},
	"store's plugin":      {"Error: No secret store plugin registered for kind 'x'. Available: [\"file\"]. Make sure the plugin is loaded.\n", ExitPluginsMissing, "No secret store plugin registered for kind 'x'. Available: [\"file\"]. Make sure the plugin is loaded."},
	"component's port":    {"Error: Failed to start some sources: m: Failed to bind HTTP server to 127.0.0.1:9000: Address already in use (os error 98). Common causes: port already in use\n", ExitPortConflict, "Failed to start some sources: m: Failed to bind HTTP server to 127.0.0.1:9000: Address already in use (os error 98). Common causes: port already in use"},
	"API port":            {"Error: Address already in use (os error 98)\n", ExitAPIPortTaken, "Address already in use (os error 98)"},
	"database away":       {"Error: Failed to start some sources: m: Failed to establish PostgreSQL replication: Connection refused (os error 111)\n", ExitOther, "Failed to start some sources: m: Failed to establish PostgreSQL replication: Connection refused (os error 111)"},
	"store's folder":      {"Error: Storage error: Failed to create/open redb database at \"./nodir/state.redb\": I/O error\n", ExitOther, "Storage error: Failed to create/open redb database at \"./nodir/state.redb\": I/O error"},
	"other causes":        {"Error: failed to list tags\n\nCaused by:\n    0: failed to list tags\n    1: Connection refused (os error 111)\n", ExitOther, "failed to list tags Caused by: 0: failed to list tags 1: Connection refused (os error 111)"},
	"usage":               {"error: unexpected argument '--nope' found\n\nUsage: drasi-server [OPTIONS]\n", ExitOther, "error: unexpected argument '--nope' found Usage: drasi-server [OPTIONS]"},
	"panic":               {"thread 'main' panicked at src/main.rs:1:2:\nboom\n", ExitOther, "thread 'main' panicked at src/main.rs:1:2: boom"},
	"nothing":             {"", ExitOther, ""},
	"warnings before":     {"2026-11-22T10:00:00.123456Z  WARN a: b\nWarning: .env\nError: Address already in use (os error 98)\n", ExitAPIPortTaken, "Address already in use (os error 98)"},
	"earlier run":         {"Error: Address already in use (os error 98)\nError: Failed to create source 'm': x\n", ExitInvalidConfig, "Failed to create source 'm': x"},
	"colours":             {"\x1b[1m\x1b[31mError: Failed to create source 'm'\x1b[0m: x\r\n", ExitInvalidConfig, "Failed to create source 'm': x"},
	"words of the user's": {"Error: Failed to create source 'Missing plugins required by configuration': Address already in use\n", ExitInvalidConfig, "Failed to create source 'Missing plugins required by configuration': Address already in use"},
	"no UTF-8":            {"Error: Validation error: \xff\xfe\x00 x\n", ExitInvalidConfig, "Validation error: x"},
}

func TestExitsAreClassified(t *testing.T) {
	for name, c := range exitTexts {
		t.Run(name, func(t *testing.T) {
			got := ClassifyExit(c.stderr)
			if got.Problem != c.problem || got.Message != c.message {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Problem, got.Message, c.problem, c.message)
			}
		})
	}
}

func TestExitMessagesAreBounded(t *testing.T) {
	got := ClassifyExit("Error: Failed to create source 'm': " + strings.Repeat("ü", 1<<20))
	if got.Problem != ExitInvalidConfig || len(got.Message) > maxExitMessage || !strings.HasSuffix(got.Message, "ü…") {
		t.Errorf("%s, %d bytes", got.Problem, len(got.Message))
	}
}

func TestTheLastErrorsOfAStartThatHangs(t *testing.T) {
	const stdout = "Drasi Server\n" +
		"2026-11-22T10:00:00.123456Z ERROR a: first\n" +
		"2026-11-22T10:00:00.123457Z ERROR a: second\n" +
		"\x1b[2m2026-11-22T10:00:01.123456Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mdrasi\x1b[0m: third\n" +
		"2026-11-22T10:00:02.123456Z ERROR a: second\n" +
		"2026-11-22T10:00:03.123456Z  INFO a: this is no ERROR at all\n" +
		"[user] ERROR of a template\n" +
		"2026-11-22T10:00:04.123456Z ERROR a: fourth\r\n" +
		"2026-11-22T10:00:05.12"
	if got, want := LastErrors(stdout), "drasi: third\na: second\na: fourth"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := LastErrors("all is well\n"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := LastErrors(strings.Repeat("2026-11-22T10:00:00Z ERROR "+strings.Repeat("x", 5000)+"\n", 3)); len(got) > maxExitMessage {
		t.Errorf("%d bytes", len(got))
	}
}
