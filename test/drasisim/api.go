package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// api answers what the REST API of the real server answers (contract 4).
type api struct {
	instances []*instance
	writable  bool
	faults    *faults
}

// ServeHTTP finds the route by the path's segments, of which each may hold an
// escaped slash.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, err := segments(r.URL.EscapedPath())
	if err != nil {
		http.Error(w, "bad path", http.StatusBadRequest)
		return
	}
	if r.Method != http.MethodGet {
		a.change(w, r, path) //nolint:contextcheck // what a request starts outlives it
		return
	}
	switch strings.Join(path, "/") {
	case "health":
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok", "timestamp": timestamp()})
		return
	case "api/versions":
		writeJSON(w, http.StatusOK, map[string]any{"versions": []string{"v1"}, "current": "v1"})
		return
	}
	if len(path) < 3 || path[0] != "api" || path[1] != "v1" {
		nothing(w)
		return
	}
	a.read(w, r, path[2:])
}

func segments(escaped string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, fmt.Errorf("unescape path: %w", err)
		}
		parts[i] = plain
	}
	return parts, nil
}

func nothing(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// The peer may be gone; there is nobody else to tell.
	_ = enc.Encode(body)
}

func success(w http.ResponseWriter, data any) {
	writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": data, "error": nil})
}

func refuse(w http.ResponseWriter, status int, code, format string, args ...any) {
	writeJSON(w, status, map[string]any{"code": code, "message": fmt.Sprintf(format, args...)})
}

// read serves GET below /api/v1: an instance's routes, or the default
// instance's without its prefix.
func (a *api) read(w http.ResponseWriter, r *http.Request, path []string) {
	switch path[0] {
	case "instances":
		if len(path) == 1 {
			success(w, a.listInstances())
			return
		}
		a.readInstance(w, r, path[1], path[2:])
	case "sources", "queries", "reactions", "events":
		a.readInstance(w, r, a.instances[0].id, path)
	case "plugins", "catalog", "openapi.json", "docs":
		absent(w)
	default:
		nothing(w)
	}
}

// absent answers what a later piece of work will simulate.
func absent(w http.ResponseWriter) {
	refuse(w, http.StatusNotImplemented, "NOT_SIMULATED", "not simulated")
}

func (a *api) instance(id string) *instance {
	for _, inst := range a.instances {
		if inst.id == id {
			return inst
		}
	}
	return nil
}

func (a *api) readInstance(w http.ResponseWriter, r *http.Request, id string, path []string) {
	inst := a.instance(id)
	if inst == nil {
		unknownInstance(w, id, path)
		return
	}
	switch {
	case len(path) == 1 && path[0] == "snapshot":
		success(w, inst.snapshot())
	case len(path) == 1 && path[0] == "events":
		absent(w)
	case len(path) >= 1 && typeOf(path[0]) != "":
		a.readComponents(w, r, inst, typeOf(path[0]), path[1:])
	default:
		nothing(w)
	}
}

// unknownInstance is plain text for lists and the snapshot, an internal error
// for the rest (contract 4.3).
func unknownInstance(w http.ResponseWriter, id string, path []string) {
	if len(path) == 1 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		// As above.
		_, _ = fmt.Fprintf(w, "Instance '%s' not found", id)
		return
	}
	refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Instance not found")
}

func typeOf(collection string) componentType {
	return map[string]componentType{"sources": typeSource, "queries": typeQuery, "reactions": typeReaction}[collection]
}

func (a *api) readComponents(w http.ResponseWriter, r *http.Request, inst *instance, typ componentType, path []string) {
	if len(path) == 0 {
		items := []map[string]any{}
		for _, c := range inst.list(typ) {
			items = append(items, inst.item(c, false))
		}
		success(w, items)
		return
	}
	c := inst.find(typ, path[0])
	if c == nil {
		unknownComponent(w, typ, path)
		return
	}
	what := strings.Join(path[1:], "/")
	switch {
	case what == "":
		success(w, inst.item(c, r.URL.Query().Get("view") == "full"))
	case what == "events":
		success(w, c.lastEvents(limitOf(r)))
	case what == "logs":
		success(w, c.lastLogs(limitOf(r)))
	case what == "results" && typ == typeQuery:
		readResults(w, inst, c)
	case what == "events/stream" || what == "logs/stream" || what == "attach":
		absent(w)
	default:
		nothing(w)
	}
}

func unknownComponent(w http.ResponseWriter, typ componentType, path []string) {
	if len(path) == 2 && path[1] == "results" {
		refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Query '%s' not found", path[0])
		return
	}
	refuse(w, http.StatusNotFound, strings.ToUpper(typ.lower())+"_NOT_FOUND", "%s '%s' not found", typ.lower(), path[0])
}

func limitOf(r *http.Request) int {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 0 {
		return kept
	}
	return limit
}

func readResults(w http.ResponseWriter, inst *instance, c *component) {
	if status, _ := c.state(); status != statusRunning {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST", "Query '%s' is not running", c.id)
		return
	}
	success(w, inst.results(c))
}
