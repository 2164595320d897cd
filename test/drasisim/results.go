package main

import (
	"regexp"
	"time"
)

// counterQuery is the one form of query that the simulator evaluates: what a
// counting mock source has counted so far.
var counterQuery = regexp.MustCompile(`(?i)^\s*MATCH\s*\(\s*(\w+)\s*:\s*Counter\s*\)\s*RETURN\s+(\w+)\.value\s+AS\s+(\w+)\s*$`)

// results gives a running query's rows.
func (inst *instance) results(c *component) []map[string]any {
	rows := []map[string]any{}
	match := counterQuery.FindStringSubmatch(c.query.text)
	if len(match) == 0 || match[1] != match[2] {
		return rows
	}
	for _, sub := range c.query.sources {
		s := inst.find(typeSource, sub.source)
		data, _ := s.resolved["dataType"].(map[string]any)
		if s.kind != "mock" || data["type"] != "counter" {
			continue
		}
		interval := time.Duration(s.number("intervalMs", 5000)) * time.Millisecond
		for i := 0; i < s.ticks(interval); i++ {
			rows = append(rows, map[string]any{match[3]: i + 1})
		}
	}
	return rows
}

// ticks counts intervals since the start, the first one at once.
func (c *component) ticks(interval time.Duration) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != statusRunning || interval <= 0 {
		return 0
	}
	return 1 + int(time.Since(c.startedAt)/interval)
}
