package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/draas-io/draas/test/drasisim/plugin"
)

// registry knows the kinds that can be used, by category.
type registry struct {
	kinds map[string]map[string]bool
	files int
}

// newRegistry has what is linked into the server (contract 3.1).
func newRegistry() *registry {
	r := &registry{kinds: map[string]map[string]bool{}}
	r.add("bootstrap", "noop")
	r.add("bootstrap", "application")
	r.add("reaction", "application")
	return r
}

func (r *registry) add(category, kind string) {
	if r.kinds[category] == nil {
		r.kinds[category] = map[string]bool{}
	}
	r.kinds[category][kind] = true
}

func (r *registry) has(category, kind string) bool { return r.kinds[category][kind] }

// loadDir takes every compatible plugin of a directory and passes over the
// rest with a line in the log. An absent directory is no error.
func (r *registry) loadDir(dir string, log *logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.info("drasi_server::server", "Plugins directory not found: %s", dir)
		return
	}
	log.info("drasi_server::dynamic_loading", "Loading cdylib plugins from: %s", dir)
	for _, entry := range entries {
		if !plugin.IsFileName(entry.Name()) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		p, err := plugin.Read(path)
		if err == nil {
			err = p.Compatible()
		}
		if err != nil {
			log.err("drasi_host_sdk::loader", "Failed to load plugin %s: Failed to load %s: %v", path, path, err)
			continue
		}
		log.info("drasi_host_sdk::loader", "Loaded plugin: %s (sdk=%s core=%s plugin=%s target=%s)", path, p.SDK, p.Version, p.Version, p.Target)
		r.add(p.Category, p.Kind)
		r.files++
	}
}

// loadUnverified is what verification leaves when no registry vouches for a
// file: nothing (contract 3.4).
func (r *registry) loadUnverified(dir string, log *logger) {
	log.warn("drasi_server::server", "verify_plugins enabled but no lockfile found — no plugins will be loaded")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if plugin.IsFileName(entry.Name()) {
			log.warn("drasi_server::dynamic_loading", "Skipping unverified plugin: %s (plugin verification is enabled)", entry.Name())
		}
	}
}

// requirement is a kind that the configuration uses, and where.
type requirement struct{ category, kind, by string }

// requirements lists the kinds of the top level and of every instance; secret
// stores are not among them (contract 2.9).
func requirements(cfg *serverConfig) []requirement {
	var list []requirement
	for _, inst := range append([]instanceConfig{cfg.top}, cfg.instances...) {
		for _, s := range inst.sources {
			list = append(list, requirement{"source", s.kind, fmt.Sprintf("source '%s'", s.id)})
			if s.bootstrapKind != "" {
				list = append(list, requirement{"bootstrap", s.bootstrapKind, fmt.Sprintf("source '%s' bootstrapProvider", s.id)})
			}
		}
		for _, b := range inst.bootstraps {
			list = append(list, requirement{"bootstrap", b.kind, fmt.Sprintf("bootstrapProvider '%s'", b.id)})
		}
		for _, re := range inst.reactions {
			list = append(list, requirement{"reaction", re.kind, fmt.Sprintf("reaction '%s'", re.id)})
		}
		for _, p := range inst.identities {
			if p.kind != "password" {
				list = append(list, requirement{"identity", p.kind, fmt.Sprintf("identityProvider '%s'", p.id)})
			}
		}
	}
	return list
}

// missing words all the kinds that no plugin provides.
func (r *registry) missing(cfg *serverConfig) error {
	var text strings.Builder
	for _, need := range requirements(cfg) {
		if r.has(need.category, need.kind) {
			continue
		}
		fmt.Fprintf(&text, "  - %s/%s (referenced by %s)\n", need.category, need.kind, need.by)
		if have := r.available(need.category); len(have) > 0 {
			fmt.Fprintf(&text, "    available %s kinds: %s\n", need.category, strings.Join(have, ", "))
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return failf("Missing plugins required by configuration:\n%sInstall the missing plugins or correct the 'kind' values in your config.", text.String())
}

func (r *registry) available(category string) []string {
	have := sortedKeys(r.kinds[category])
	sort.Strings(have)
	return have
}
