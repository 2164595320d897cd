package main

import (
	"fmt"
	"sync"
	"time"
)

// Statuses of a component (contract 4.5).
const (
	statusAdded    = "Added"
	statusStarting = "Starting"
	statusRunning  = "Running"
	statusStopped  = "Stopped"
	statusError    = "Error"
)

// kept is how many events and log lines a component keeps (contract 4.6).
const kept = 100

// componentType is spelled as events spell it.
type componentType string

const (
	typeSource   componentType = "Source"
	typeQuery    componentType = "Query"
	typeReaction componentType = "Reaction"
)

func (t componentType) lower() string {
	return map[componentType]string{typeSource: "source", typeQuery: "query", typeReaction: "reaction"}[t]
}

type event struct {
	ComponentID   string        `json:"componentId"`
	ComponentType componentType `json:"componentType"`
	Status        string        `json:"status"`
	Timestamp     string        `json:"timestamp"`
	Message       string        `json:"message,omitempty"`
}

type logEntry struct {
	Timestamp     string        `json:"timestamp"`
	Level         string        `json:"level"`
	Message       string        `json:"message"`
	ComponentID   string        `json:"componentId"`
	ComponentType componentType `json:"componentType"`
}

// component is a source, query or reaction of one instance.
type component struct {
	id, kind  string
	typ       componentType
	autoStart bool
	props     map[string]any
	resolved  map[string]any
	queries   []string
	query     *queryConfig
	bootstrap bootstrapper
	log       *logger

	mu        sync.Mutex
	status    string
	failure   string
	startedAt time.Time
	events    []event
	logs      []logEntry
	listener  stopper
	settled   chan struct{}
}

// stopper is what a running component holds open.
type stopper interface{ Close() error }

func newComponent(typ componentType, id, kind string, log *logger) *component {
	c := &component{id: id, kind: kind, typ: typ, log: log, settled: closedChannel()}
	c.set(statusAdded, typ.lower()+" added")
	return c
}

func closedChannel() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (c *component) set(status, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
	c.failure = ""
	if status == statusError {
		c.failure = message
	}
	if status == statusRunning {
		c.startedAt = time.Now()
	}
	c.events = append(c.events, event{c.id, c.typ, status, timestamp(), message})
	if len(c.events) > kept {
		c.events = c.events[1:]
	}
	if status != statusAdded {
		c.log.info("drasi_lib::lib_core", "Component Event - %s %s: %s - %s", c.typ, c.id, status, message)
	}
}

func (c *component) state() (status, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.failure
}

// say writes a line of the component's own, which its log keeps.
func (c *component) say(level int, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	c.mu.Lock()
	c.logs = append(c.logs, logEntry{timestamp(), levelTitle(level), message, c.id, c.typ})
	if len(c.logs) > kept {
		c.logs = c.logs[1:]
	}
	c.mu.Unlock()
	if c.typ == typeQuery {
		c.log.write(level, "drasi_lib::queries::manager", "%s", message)
		return
	}
	c.log.write(level, "drasi_host_sdk::callbacks", "[plugin:%s] %s", c.id, message)
}

func (c *component) lastEvents(limit int) []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]event{}, c.events[max(0, len(c.events)-limit):]...)
}

func (c *component) lastLogs(limit int) []logEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]logEntry{}, c.logs[max(0, len(c.logs)-limit):]...)
}

func (c *component) hold(l stopper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = l
}

// release closes what the component holds.
func (c *component) release() {
	c.mu.Lock()
	held := c.listener
	c.listener = nil
	c.mu.Unlock()
	if held != nil {
		// What is being stopped has nobody left to tell.
		_ = held.Close()
	}
}

func (c *component) stop() {
	c.release()
	message := ""
	if c.typ == typeQuery {
		message = fmt.Sprintf("Query '%s' stopped", c.id)
	}
	c.set(statusStopped, message)
}

func (c *component) text(key, byDefault string) string {
	if val, ok := c.resolved[key].(string); ok {
		return val
	}
	return byDefault
}

func (c *component) number(key string, byDefault uint64) uint64 {
	if val, ok := c.resolved[key].(uint64); ok {
		return val
	}
	return byDefault
}

func timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z") }
