package main

import (
	"fmt"
	"io"
	"os"
)

// validate prints the report of the offline check (contract 1.4): it sees
// neither plugins' configurations nor queries nor references.
func validate(opts options, env environment, out io.Writer) int {
	report := &report{out: out}
	report.line("Validating: %s\n", opts.config)
	if _, err := os.Stat(opts.config); err != nil {
		report.line("[ERROR] Configuration file not found: %s", opts.config)
		return 1
	}
	report.line("Structure:")
	cfg, err := loadConfig(opts.config)
	if err != nil {
		report.line("  [ERR] %v", err)
		return 1
	}
	resolved, err := check(cfg, env)
	if err != nil {
		report.line("  [ERR] %v", firstLine(err))
		return 1
	}
	report.line("  [OK] YAML syntax valid")
	report.line("  [OK] Server settings valid (host: %s, port: %d, logLevel: %s)\n", resolved.host, resolved.port, resolved.logLevel)
	report.references(resolved, env)
	report.plugins(cfg, pluginsDir(opts))
	report.components(resolved)
	if opts.showResolved {
		report.line("\nResolved server settings:\n  Host: %s\n  Port: %d\n  Log Level: %s", resolved.host, resolved.port, resolved.logLevel)
	}
	if report.errors > 0 {
		return 1
	}
	return 0
}

type report struct {
	out              io.Writer
	errors, warnings int
}

func (r *report) line(format string, args ...any) {
	// Nobody is left to be told that stdout is closed.
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

func firstLine(err error) string {
	text := err.Error()
	for i := range text {
		if text[i] == '\n' {
			return text[:i]
		}
	}
	return text
}

// references lists variables that are neither set nor have a default.
func (r *report) references(s settings, env environment) {
	r.line("Environment references:")
	for _, inst := range s.instances {
		for _, src := range inst.cfg.sources {
			r.unset("sources['"+src.id+"']", src.props, env)
		}
		for _, re := range inst.cfg.reactions {
			r.unset("reactions['"+re.id+"']", re.props, env)
		}
	}
	if r.errors == 0 {
		r.line("  [OK] No missing env var references")
	}
	r.line("")
}

func (r *report) unset(at string, raw any, env environment) {
	switch raw := raw.(type) {
	case string:
		name, fallback, ok := reference(raw)
		if _, set := env(name); ok && !set && fallback == nil {
			r.errors++
			r.line("  [ERR] %s: env var '%s' not found and no default provided", at, name)
		}
	case []any:
		for i, item := range raw {
			r.unset(fmt.Sprintf("%s[%d]", at, i), item, env)
		}
	case map[string]any:
		for _, key := range sortedKeys(raw) {
			r.unset(at+"."+key, raw[key], env)
		}
	}
}

func (r *report) plugins(cfg *serverConfig, dir string) {
	kinds := newRegistry()
	kinds.loadDir(dir, &logger{out: io.Discard, level: -1})
	r.line("Plugins (%d loaded from %s):", kinds.files, dir)
	for _, need := range requirements(cfg) {
		if !kinds.has(need.category, need.kind) {
			r.warnings++
			r.line("  [WARN] %s/%s — not installed (referenced by %s)", need.category, need.kind, need.by)
		}
	}
	r.line("")
}

func (r *report) components(s settings) {
	r.line("Config validation:")
	var sources, queries, reactions int
	for _, inst := range s.instances {
		for _, src := range inst.cfg.sources {
			r.line("  [OK] source '%s' (%s)", src.id, src.kind)
		}
		for _, re := range inst.cfg.reactions {
			r.line("  [OK] reaction '%s' (%s)", re.id, re.kind)
		}
		sources += len(inst.cfg.sources)
		queries += len(inst.cfg.queries)
		reactions += len(inst.cfg.reactions)
	}
	verdict := "all valid"
	switch {
	case r.errors > 0:
		verdict = fmt.Sprintf("%d error(s)", r.errors)
	case r.warnings > 0:
		verdict = fmt.Sprintf("%d warning(s)", r.warnings)
	}
	r.line("\nSummary: %d instance(s), %d source(s), %d query/queries, %d reaction(s) — %s",
		len(s.instances), sources, queries, reactions, verdict)
}
