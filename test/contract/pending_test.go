package contract

import "strings"

const (
	writes   = "changes through the API"
	installs = "plugin install and list, and installing at start"
	streams  = "event streams and attach"
	database = "needs a real PostgreSQL beside the server"
)

// pending lists the recordings of later subjects. An entry goes when the
// simulator does what it recorded; none may stay without its recording.
var pending = map[string]string{
	"api_instance-writes":          writes,
	"api_lazy-reaction":            writes,
	"api_persist-config":           writes,
	"api_push":                     writes,
	"api_put-source-cuts-queries":  writes,
	"api_query-writes":             writes,
	"api_reaction-writes":          writes,
	"api_read-only-mode-as-root":   writes,
	"api_source-writes":            writes,
	"api_start-limit":              writes,
	"api_streams":                  streams,
	"plugin_auto-install-local":    installs,
	"plugin_install-file-url":      installs,
	"plugin_install-local":         installs,
	"plugin_install-no-config":     installs,
	"plugin_install-twice":         installs,
	"plugin_install-unreachable":   installs,
	"plugin_install-unwritable":    installs,
	"plugin_install-local-missing": installs,
	"plugin_install-local-unknown": installs,
	"plugin_list":                  installs,

	"plugin_install-local-from-config":    installs,
	"plugin_install-local-registry-flag":  installs,
	"plugin_install-local-verify-default": installs,

	"postgres_away-briefly":                database,
	"postgres_away-long":                   database,
	"postgres_good":                        database,
	"postgres_late":                        database,
	"postgres_late-query-start-too-early":  database,
	"postgres_no-publication":              database,
	"postgres_no-such-database":            database,
	"postgres_no-table":                    database,
	"postgres_slot-in-use":                 database,
	"postgres_wrong-password":              database,
	"postgres_wrong-password-no-bootstrap": database,
}

// slow lists the recordings that last minutes by what they show.
var slow = map[string]bool{"state_unwritable-cwd": true}

// laterStep says why a request within a replayed recording is left out.
func laterStep(path string) string {
	if strings.HasPrefix(path, "/api/v1/plugins") && path != "/api/v1/plugins/load" {
		return "the plugin routes come with plugin install"
	}
	return ""
}

// faults make the simulator as slow as the recorded server was where a
// scenario needs it; a real server does not know these variables.
var faults = map[string]map[string]string{
	"signal_int-before-start": {"DRASISIM_SLOW_START_MS": "20000"},
}
