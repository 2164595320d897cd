package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// settings are the resolved values of the server itself.
type settings struct {
	host      string
	port      uint16
	logLevel  string
	instances []namedInstance
}

type namedInstance struct {
	id  string
	cfg *instanceConfig
}

// invalid words what the check of a configuration found, and again as its
// cause.
func invalid(reason error) error {
	return failf("Validation error: %v\n\nCaused by:\n    %v", reason, reason)
}

// check resolves the server's own fields and validates what the real one
// validates at load (contract 2.3).
func check(cfg *serverConfig, env environment) (settings, error) {
	s := settings{host: "0.0.0.0", port: 8080, logLevel: "info"}
	if err := resolveServer(cfg, env, &s); err != nil {
		return s, invalid(err)
	}
	if err := checkInstances(s.instances); err != nil {
		return s, invalid(err)
	}
	return s, nil
}

func resolveServer(cfg *serverConfig, env environment, s *settings) error {
	host, err := resolveText(cfg.host, env, s.host)
	if err != nil {
		return err
	}
	level, err := resolveText(cfg.logLevel, env, s.logLevel)
	if err != nil {
		return err
	}
	s.host, s.logLevel = host, level
	if cfg.port.form != formAbsent {
		port, err := cfg.port.resolve(env, nil)
		if err != nil {
			return err
		}
		s.port = uint16(port.(uint64))
	}
	if s.instances, err = nameInstances(cfg, env); err != nil {
		return err
	}
	switch {
	case !validHost(s.host):
		return failf("Invalid host '%s': must be a valid hostname or IP address", s.host)
	case s.port == 0:
		return failure("Invalid port 0: port must be between 1 and 65535")
	case !contains(levelNames(), strings.ToLower(s.logLevel)):
		return failf("Invalid log level '%s': must be one of trace, debug, info, warn, error", s.logLevel)
	}
	return nil
}

// nameInstances gives the list, or the top level as the only one.
func nameInstances(cfg *serverConfig, env environment) ([]namedInstance, error) {
	list := []*instanceConfig{&cfg.top}
	if len(cfg.instances) > 0 {
		list = nil
		for i := range cfg.instances {
			list = append(list, &cfg.instances[i])
		}
	}
	var named []namedInstance
	for _, inst := range list {
		id, err := resolveText(inst.id, env, "")
		if err != nil {
			return nil, err
		}
		if inst.id.form == formAbsent {
			id = randomUUID()
		}
		named = append(named, namedInstance{id: id, cfg: inst})
	}
	return named, nil
}

func resolveText(val configValue, env environment, byDefault string) (string, error) {
	if val.form == formAbsent {
		return byDefault, nil
	}
	text, err := val.resolve(env, nil)
	if err != nil {
		return "", err
	}
	return text.(string), nil
}

func checkInstances(list []namedInstance) error {
	seen := map[string]bool{}
	for _, inst := range list {
		if seen[inst.id] {
			return failf("Duplicate DrasiLib instance id detected: '%s'", inst.id)
		}
		seen[inst.id] = true
		providers := map[string]bool{}
		for _, b := range inst.cfg.bootstraps {
			if providers[b.id] {
				return failf("Instance '%s': duplicate bootstrapProvider id '%s'", inst.id, b.id)
			}
			providers[b.id] = true
		}
		for _, src := range inst.cfg.sources {
			if src.bootstrapID != "" && !providers[src.bootstrapID] {
				return failf("Instance '%s': source '%s' references unknown bootstrapProvider '%s'", inst.id, src.id, src.bootstrapID)
			}
		}
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)

func validHost(host string) bool {
	return net.ParseIP(host) != nil || len(host) <= 253 && hostName.MatchString(host)
}

func randomUUID() string {
	var b [16]byte
	// rand.Read never fails.
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// createDefault writes the configuration of a server that was given none.
func createDefault(opts options) error {
	port := uint16(8080)
	if opts.hasPort {
		port = opts.port
	}
	if dir := filepath.Dir(opts.config); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return osError(err)
		}
	}
	text := fmt.Sprintf(defaultText, randomUUID(), port)
	if err := os.WriteFile(opts.config, []byte(text), 0o644); err != nil {
		return osError(err)
	}
	return nil
}

const defaultText = `id: %s
host: 0.0.0.0
port: %d
logLevel: info
persistConfig: true
persistIndex: false
enableArchive: false
enableUi: true
pluginRegistry: ghcr.io/drasi-project
autoInstallPlugins: false
verifyPlugins: true
hotReloadPlugins: false
hotReloadDebounceMs: 2000
sources: []
queries: []
reactions: []
identityProviders: []
bootstrapProviders: []
instances: []
`
