package main

import (
	"strings"
	"time"
)

// start runs all autoStart components in sequence: sources, queries,
// reactions. A failing source or reaction fails the whole; a failing query
// does not (contract 1.4, 2.6).
func (inst *instance) start(f *faults) error {
	inst.log.info("drasi_lib::lib_core", "Starting drasi-lib")
	if err := inst.startAll(typeSource, f); err != nil {
		return err
	}
	for _, q := range inst.queries {
		if q.autoStart {
			// What a query's start says is in its status and in the log.
			_ = inst.startComponent(q, f)
		}
	}
	if err := inst.startAll(typeReaction, f); err != nil {
		return err
	}
	inst.log.info("drasi_lib::lib_core", "drasi-lib started successfully")
	return nil
}

func (inst *instance) startAll(typ componentType, f *faults) error {
	var failed []string
	for _, c := range inst.list(typ) {
		if !c.autoStart {
			inst.log.info("drasi_lib::managers::lifecycle_helpers", "Skipping %s '%s' (auto_start=false)", typ.lower(), c.id)
			continue
		}
		if err := inst.startComponent(c, f); err != nil {
			failed = append(failed, c.id+": "+err.Error())
		}
	}
	if len(failed) > 0 {
		return failf("Failed to start some %ss: %s", typ.lower(), strings.Join(failed, "; "))
	}
	return nil
}

// startComponent starts one and leaves it Running, Starting or in Error.
func (inst *instance) startComponent(c *component, f *faults) error {
	inst.log.info("drasi_lib::managers::lifecycle_helpers", "Starting %s: %s", c.typ.lower(), c.id)
	c.set(statusStarting, "Starting "+c.typ.lower())
	var err error
	switch c.typ {
	case typeSource:
		err = startSource(c, f)
	case typeReaction:
		inst.startReaction(c)
	default:
		err = inst.startQuery(c)
	}
	if err != nil {
		inst.log.err("drasi_lib::managers::lifecycle_helpers", "Failed to start %s %s: %v", c.typ.lower(), c.id, err)
	}
	return err
}

// stop ends what runs, in reverse order of dependency.
func (inst *instance) stop() {
	inst.log.info("drasi_lib::lib_core", "Stopping drasi-lib")
	for _, typ := range []componentType{typeReaction, typeQuery, typeSource} {
		for _, c := range inst.list(typ) {
			if status, _ := c.state(); status == statusRunning || status == statusStarting {
				inst.log.info("drasi_lib::lifecycle", "Stopping %s '%s'", typ.lower(), c.id)
				c.stop()
			}
			c.release()
		}
	}
	inst.log.info("drasi_lib::lib_core", "drasi-lib stopped successfully")
}

// startQuery parses the text, opens the index, subscribes and bootstraps.
// Parts that the real server leaves in the background stay there.
func (inst *instance) startQuery(c *component) error {
	q := c.query
	parsed, err := parseQuery(q.text)
	if err == nil {
		err = checkMiddleware(q.middleware)
	}
	if err != nil {
		return fail(c, failf("Start failed: Failed to build query: %v", err))
	}
	persistent := inst.persistent(q)
	if persistent {
		if err := createIndex(inst.key, c.id); err != nil {
			return inst.failIndex(c, err)
		}
	}
	if len(q.sources) == 0 && len(parsed.labels) > 0 {
		failed := "Failed to build subscription settings: No sources configured for query"
		if persistent {
			failed = "Start failed: " + failed
		}
		return fail(c, failure(failed))
	}
	if persistent {
		if names := inst.unreplayable(q); len(names) > 0 {
			return fail(c, failf("Query '%s' has a persistent backend but source(s) %s do not support replay; "+
				"checkpoint-based recovery requires durable sources", c.id, quotedList(names)))
		}
	}
	inst.bootstrapQuery(c)
	return nil
}

// fail puts a component into Error.
func fail(c *component, err error) error {
	c.set(statusError, err.Error())
	return failure(strings.TrimPrefix(err.Error(), "Start failed: "))
}

// failIndex is odd: with a reaction on it the query never leaves Starting and
// the reaction waits for it until the bootstrap timeout.
func (inst *instance) failIndex(c *component, err error) error {
	inst.log.err("drasi_index_rocksdb::plugin", "Failed to open unified RocksDB for query '%s' at path './data/%s/index': %v", c.id, inst.key, err)
	failed := failure("Start failed: Failed to build indexes")
	for _, r := range inst.reactions {
		if r.autoStart && contains(r.queries, c.id) {
			c.settled = make(chan struct{})
			return failed
		}
	}
	return fail(c, failed)
}

func (inst *instance) persistent(q *queryConfig) bool {
	switch q.backend.(type) {
	case nil:
		return inst.persist
	case string:
		return true
	}
	return false
}

// unreplayable lists the sources that cannot replay (contract 6.6).
func (inst *instance) unreplayable(q *queryConfig) []string {
	var names []string
	for _, sub := range q.sources {
		s := inst.find(typeSource, sub.source)
		if (s.kind == "http" || s.kind == "grpc" || s.kind == "application") && !durable(s) {
			names = append(names, s.id)
		}
	}
	return names
}

func durable(s *component) bool {
	settings, _ := s.resolved["durability"].(map[string]any)
	enabled, _ := settings["enabled"].(bool)
	return enabled
}

func checkMiddleware(list []any) error {
	for _, raw := range list {
		entry, _ := raw.(map[string]any)
		kind, _ := entry["kind"].(string)
		switch kind {
		case "map", "unwind", "jq", "relabel", "decoder", "promote", "parse_json":
		default:
			return failf("Middleware setup error: Invalid configuration: Unknown middleware kind: %s", kind)
		}
	}
	return nil
}

// bootstrapQuery runs the bootstraps beside the rest of the start.
func (inst *instance) bootstrapQuery(c *component) {
	c.settled = make(chan struct{})
	go func() {
		defer close(c.settled)
		for _, sub := range c.query.sources {
			s := inst.find(typeSource, sub.source)
			if !c.query.enableBootstrap || s.bootstrap == nil {
				continue
			}
			if err := bootstrapFrom(c, s); err != nil {
				return
			}
		}
		c.say(levelInfo, "[BOOTSTRAP] Query '%s' all sources completed bootstrap, 0 recovery checkpoint(s) to persist", c.id)
		c.say(levelInfo, "[BOOTSTRAP] Emitted bootstrapCompleted signal for query '%s'", c.id)
		c.say(levelInfo, "[BOOTSTRAP] Query '%s' bootstrap gate opened", c.id)
		c.say(levelInfo, "Query '%s' waiting for bootstrap gate before processing events", c.id)
		c.say(levelInfo, "Query '%s' bootstrap gate opened, starting event processing", c.id)
		c.say(levelInfo, "Starting FutureQueueSource for query '%s'", c.id)
		c.say(levelInfo, "Query '%s' starting priority queue event processor", c.id)
		c.set(statusRunning, "Query started successfully")
	}()
}

func bootstrapFrom(c, s *component) error {
	if s.kind == "postgres" && explicit(s.bootstrap) {
		s.say(levelInfo, "PostgreSQL source '%s' waiting for bootstrap snapshot boundary", s.id)
	}
	sent, err := s.bootstrap.run()
	if err == nil {
		s.say(levelInfo, "Bootstrap completed successfully for query '%s', sent %d events (source_position: 0 bytes)", c.id, sent)
		c.say(levelInfo, "[BOOTSTRAP] Query '%s' completed bootstrap from source '%s' (%d events)", c.id, s.id, sent)
		return nil
	}
	s.say(levelError, "Bootstrap failed for query '%s': Bootstrap failed: Bootstrap failed: %v", c.id, err)
	reason := failf("Bootstrap failed: Bootstrap failed: Bootstrap failed: %v", err)
	c.say(levelInfo, "[BOOTSTRAP] Query '%s' completed bootstrap from source '%s' (0 events)", c.id, s.id)
	c.say(levelError, "[BOOTSTRAP] Query '%s' bootstrap provider failed for source '%s': %v", c.id, s.id, reason)
	c.say(levelError, "[BOOTSTRAP] Query '%s' bootstrap failed (source '%s': %v), transitioning to Error and opening gate", c.id, s.id, reason)
	c.say(levelInfo, "Query '%s' waiting for bootstrap gate before processing events", c.id)
	c.say(levelInfo, "Query '%s' bootstrap gate opened, starting event processing", c.id)
	c.say(levelWarn, "Query '%s' bootstrap completed but status is Error, skipping transition to Running", c.id)
	c.say(levelInfo, "Starting FutureQueueSource for query '%s'", c.id)
	c.say(levelInfo, "Query '%s' starting priority queue event processor", c.id)
	c.say(levelInfo, "Query '%s' status changed to non-running (Error), exiting processing loop", c.id)
	c.say(levelInfo, "Stopping FutureQueueSource for query '%s'", c.id)
	c.say(levelInfo, "FutureQueueSource stopped for query '%s'", c.id)
	c.say(levelInfo, "Query '%s' processing task exited", c.id)
	c.set(statusError, failf("Bootstrap failed: source '%s': %v", s.id, reason).Error())
	return err
}

// awaitQueries is why a start may last minutes: a reaction waits for its
// queries' bootstraps, each up to its timeout (contract 6.4).
func (inst *instance) awaitQueries(r *component) {
	for _, id := range r.queries {
		q := inst.find(typeQuery, id)
		timeout := time.NewTimer(time.Duration(q.query.bootstrapTimeout) * time.Second)
		select {
		case <-q.settled:
		case <-timeout.C:
		}
		timeout.Stop()
	}
}
