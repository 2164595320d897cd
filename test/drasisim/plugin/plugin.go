// Package plugin knows the stand-in plugin files of the simulated
// drasi-server: small text files that carry, like the metadata of a real
// plugin, what they provide and which ABI they were built for.
package plugin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// SDK is the FFI version of drasi-server 0.2.2; major and minor of a plugin's
// must equal it (contract 3.1).
const SDK = "0.13.0"

const (
	magic   = "drasisim stand-in plugin"
	maxSize = 4096
)

// ErrJunk says that a file is no stand-in plugin at all.
var ErrJunk = errors.New("invalid ELF header")

// Plugin is what one plugin file says about itself.
type Plugin struct {
	// Category is source, reaction, bootstrap, secret_store or identity.
	Category string
	// Kind is the name that a configuration uses.
	Kind string
	// Version is the plugin's own.
	Version string
	// SDK is the FFI version it was built with.
	SDK string
	// Target is the triple it was built for.
	Target string
}

// New describes a plugin that fits this simulator. A reference is spelled
// "category/kind", as in a server's plugin list.
func New(ref string) (Plugin, error) {
	category, kind, ok := strings.Cut(ref, "/")
	category = strings.ReplaceAll(category, "-", "_")
	if !ok || kind == "" || strings.ContainsAny(kind, "/ \n") || !known(category) {
		return Plugin{}, fmt.Errorf("plugin reference %q: want category/kind", ref)
	}
	return Plugin{Category: category, Kind: kind, Version: "0.1.0", SDK: SDK, Target: Target()}, nil
}

// Target is the triple of this machine's gnu build.
func Target() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return arch + "-unknown-linux-gnu"
}

// FileName is the name under which a server finds the plugin (contract 3.1).
func (p Plugin) FileName() string {
	return "libdrasi_" + p.Category + "_" + strings.ReplaceAll(p.Kind, "-", "_") + ".so"
}

// IsFileName tells whether a server looks at a file of that name.
func IsFileName(name string) bool {
	rest, ok := strings.CutPrefix(name, "libdrasi_")
	if !ok || !strings.HasSuffix(rest, ".so") {
		return false
	}
	for _, category := range append(Categories(), "secret-store") {
		if strings.HasPrefix(rest, category+"_") {
			return true
		}
	}
	return false
}

// Categories lists the categories of plugins.
func Categories() []string {
	return []string{"source", "reaction", "bootstrap", "secret_store", "identity"}
}

func known(category string) bool {
	for _, c := range Categories() {
		if c == category {
			return true
		}
	}
	return false
}

// Compatible says why a server of this machine would not load the plugin.
func (p Plugin) Compatible() error {
	if minor(p.SDK) != minor(SDK) {
		return fmt.Errorf("SDK version mismatch: plugin=%s host=%s", p.SDK, SDK)
	}
	if p.Target != Target() {
		return fmt.Errorf("target triple mismatch: plugin=%s host=%s", p.Target, Target())
	}
	return nil
}

func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// Write puts the stand-in file into a directory.
func (p Plugin) Write(dir string) error {
	text := fmt.Sprintf("%s\ncategory=%s\nkind=%s\nversion=%s\nsdk=%s\ntarget=%s\n",
		magic, p.Category, p.Kind, p.Version, p.SDK, p.Target)
	path := filepath.Join(dir, p.FileName())
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write plugin: %w", err)
	}
	return nil
}

// Read takes a file for a plugin, or says ErrJunk.
func Read(path string) (Plugin, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Plugin{}, fmt.Errorf("read plugin: %w", err)
	}
	if info.Size() > maxSize {
		return Plugin{}, ErrJunk
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Plugin{}, fmt.Errorf("read plugin: %w", err)
	}
	return parse(data)
}

func parse(data []byte) (Plugin, error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	if !lines.Scan() || lines.Text() != magic {
		return Plugin{}, ErrJunk
	}
	var p Plugin
	into := map[string]*string{"category": &p.Category, "kind": &p.Kind, "version": &p.Version, "sdk": &p.SDK, "target": &p.Target}
	for lines.Scan() {
		key, val, _ := strings.Cut(lines.Text(), "=")
		if field := into[key]; field != nil {
			*field = val
		}
	}
	if !known(p.Category) || p.Kind == "" {
		return Plugin{}, ErrJunk
	}
	return p, nil
}
