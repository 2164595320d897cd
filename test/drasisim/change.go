package main

import (
	"net/http"
	"strings"
)

// change serves everything but GET: starting and stopping components, and the
// refusals of a server whose file cannot be written (contract 4.8). Changes of
// a writable server are not simulated.
func (a *api) change(w http.ResponseWriter, r *http.Request, path []string) {
	if len(path) < 3 || path[0] != "api" || path[1] != "v1" {
		nothing(w)
		return
	}
	rest := path[2:]
	if rest[0] == "instances" && len(rest) >= 3 {
		rest = rest[2:]
	}
	if len(rest) == 3 && typeOf(rest[0]) != "" && r.Method == http.MethodPost && (rest[2] == "start" || rest[2] == "stop") {
		a.startStop(w, path[2:], typeOf(rest[0]), rest[1], rest[2])
		return
	}
	action := refused(r.Method, rest)
	if a.writable || action == "" {
		absent(w)
		return
	}
	refuse(w, http.StatusConflict, "CONFIG_READ_ONLY", "Server is in read-only mode. Cannot %s.", action)
}

// refused words what a read-only server does not do.
func refused(method string, path []string) string {
	collection := path[0]
	switch {
	case collection == "plugins" && len(path) == 2:
		return path[1] + " plugins"
	case collection == "instances" && method == http.MethodPost:
		return "create instances"
	case typeOf(collection) == "":
		return ""
	case method == http.MethodPost && len(path) == 1:
		return "create " + collection
	case method == http.MethodPut && len(path) == 2:
		return "create or update " + collection
	case method == http.MethodDelete && len(path) == 2:
		return "delete " + collection
	}
	return ""
}

func (a *api) startStop(w http.ResponseWriter, path []string, typ componentType, id, action string) {
	inst := a.instances[0]
	if path[0] == "instances" {
		if inst = a.instance(path[1]); inst == nil {
			refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Instance not found")
			return
		}
	}
	c := inst.find(typ, id)
	if c == nil {
		unknownComponent(w, typ, []string{id})
		return
	}
	status, _ := c.state()
	active := status == statusRunning || status == statusStarting
	title := strings.ToUpper(typ.lower()[:1]) + typ.lower()[1:]
	switch {
	case action == "stop" && !active:
		refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Cannot stop component: not running")
	case action == "stop":
		c.stop()
		success(w, map[string]any{"message": title + " stopped successfully"})
	case active:
		refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Cannot start component: already running")
	default:
		if err := inst.startComponent(c, a.faults); err != nil {
			refuse(w, http.StatusInternalServerError, "INTERNAL_ERROR", "%v", err)
			return
		}
		success(w, map[string]any{"message": title + " started successfully"})
	}
}
