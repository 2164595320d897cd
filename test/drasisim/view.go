package main

// listInstances counts what each instance has, the internal source included.
func (a *api) listInstances() []map[string]any {
	list := []map[string]any{}
	for _, inst := range a.instances {
		self := "/api/v1/instances/" + inst.id
		list = append(list, map[string]any{
			"id": inst.id, "source_count": len(inst.sources), "query_count": len(inst.queries), "reaction_count": len(inst.reactions),
			"links": map[string]any{
				"self": self, "sources": self + "/sources", "queries": self + "/queries", "reactions": self + "/reactions",
			},
		})
	}
	return list
}

// item is a component in a list; links hold ids as they are, unescaped.
func (inst *instance) item(c *component, full bool) map[string]any {
	status, failed := c.state()
	self := "/api/v1/instances/" + inst.id + "/" + collection(c.typ) + "/" + c.id
	item := map[string]any{
		"id": c.id, "status": status,
		"links": map[string]any{"self": self, "full": self + "?view=full"},
	}
	if failed != "" {
		item["error_message"] = failed
	}
	if full {
		item["config"] = c.config()
	}
	return item
}

func collection(typ componentType) string {
	if typ == typeQuery {
		return "queries"
	}
	return typ.lower() + "s"
}

// config is what view=full shows: camelCase, and for sources and reactions
// without autoStart and bootstrapProvider (contract 4.3).
func (c *component) config() map[string]any {
	if c.typ == typeQuery {
		return c.query.config()
	}
	cfg := without(c.props)
	cfg["id"], cfg["kind"] = c.id, c.kind
	if c.typ == typeReaction {
		cfg["queries"] = c.queries
	}
	return cfg
}

func (q *queryConfig) config() map[string]any {
	cfg := map[string]any{
		"id": q.id, "query": q.text, "queryLanguage": q.language, "autoStart": q.autoStart,
		"middleware": q.middleware, "sources": q.subscriptions("sourceId"), "enableBootstrap": q.enableBootstrap,
		"bootstrapBufferSize": q.bootstrapBuffer, "bootstrapTimeoutSecs": q.bootstrapTimeout,
		"priorityQueueCapacity": q.queueCapacity, "dispatchBufferCapacity": q.bufferSize, "outboxCapacity": q.outbox,
	}
	q.optional(cfg, "storageBackend")
	return cfg
}

func (q *queryConfig) optional(cfg map[string]any, backend string) {
	if q.joins != nil {
		cfg["joins"] = q.joins
	}
	if q.backend != nil {
		cfg[backend] = q.backend
	}
}

func (q *queryConfig) subscriptions(idKey string) []map[string]any {
	list := []map[string]any{}
	for _, sub := range q.sources {
		list = append(list, map[string]any{
			idKey: sub.source, "nodes": sub.nodes, "relations": sub.relations, "pipeline": sub.pipeline,
		})
	}
	return list
}

// snapshot is contract 4.4, in the spelling of the recordings: mostly
// snake_case, but not all of it.
func (inst *instance) snapshot() map[string]any {
	sources, queries, reactions := []any{}, []any{}, []any{}
	for _, c := range inst.sources {
		status, _ := c.state()
		sources = append(sources, map[string]any{
			"id": c.id, "source_type": c.kind, "status": status, "auto_start": c.autoStart,
			"properties": c.props, "bootstrap_provider": nil,
		})
	}
	for _, c := range inst.queries {
		status, _ := c.state()
		queries = append(queries, map[string]any{"id": c.id, "config": c.query.snapshot(), "status": status})
	}
	for _, c := range inst.reactions {
		status, _ := c.state()
		reactions = append(reactions, map[string]any{
			"id": c.id, "reaction_type": c.kind, "status": status, "auto_start": c.autoStart,
			"queries": c.queries, "properties": c.props,
		})
	}
	return map[string]any{
		"instance_id": inst.id, "timestamp": timestamp(),
		"sources": sources, "queries": queries, "reactions": reactions, "edges": inst.edges(),
	}
}

func (q *queryConfig) snapshot() map[string]any {
	cfg := map[string]any{
		"id": q.id, "query": q.text, "queryLanguage": q.language, "auto_start": q.autoStart,
		"middleware": q.middleware, "sources": q.subscriptions("source_id"), "enableBootstrap": q.enableBootstrap,
		"bootstrapBufferSize": q.bootstrapBuffer, "bootstrapTimeoutSecs": q.bootstrapTimeout,
		"priority_queue_capacity": q.queueCapacity, "dispatch_buffer_capacity": q.bufferSize, "outboxCapacity": q.outbox,
	}
	q.optional(cfg, "storage_backend")
	return cfg
}

func (inst *instance) edges() []map[string]any {
	edges := []map[string]any{}
	both := func(from, to, there, back string) {
		edges = append(edges,
			map[string]any{"from": from, "to": to, "relationship": there},
			map[string]any{"from": to, "to": from, "relationship": back})
	}
	for _, c := range inst.sources {
		both(inst.id, c.id, "Owns", "OwnedBy")
	}
	for _, c := range inst.queries {
		both(inst.id, c.id, "Owns", "OwnedBy")
		for _, sub := range c.query.sources {
			both(sub.source, c.id, "Feeds", "SubscribesTo")
		}
	}
	for _, c := range inst.reactions {
		both(inst.id, c.id, "Owns", "OwnedBy")
		for _, id := range c.queries {
			both(id, c.id, "Feeds", "SubscribesTo")
		}
	}
	return edges
}
