//go:build linux

package process

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

// plugins makes a directory for each set of plugins in use: the server loads every file that is there (contract 3.1).
type plugins struct {
	// from holds the ready-made files; it may hold the placeholder.
	from string
	// into holds a directory for each set, named by its key.
	into   string
	random io.Reader
	hooks  *Hooks

	// mu is held while sets are made and removed, which may take long.
	mu sync.Mutex
	// sums are the SHA-256 sums of files, for as long as they are the same.
	sums map[string]sum

	// usedMu is held for a moment only: every instance's every step needs it.
	usedMu sync.Mutex
	// used are the keys that an instance refers to, by UID.
	used map[string][]string
}

// sum is the SHA-256 sum of a file.
type sum struct {
	of  fileID
	hex string
}

func newPlugins(o Options, into string) *plugins {
	return &plugins{from: o.PluginsDir, into: into, random: o.Random, hooks: o.Hooks, sums: map[string]sum{}, used: map[string][]string{}}
}

// pluginFile is a file of a set.
type pluginFile struct {
	name string
	path string
	sum  string
}

// partForm is what category and kind of a plugin look like; so they are no path either.
var partForm = uidForm

func validatePlugins(list []platform.Plugin) error {
	for _, plugin := range list {
		if !partForm.MatchString(plugin.Category) || !partForm.MatchString(strings.ReplaceAll(plugin.Kind, "_", "-")) {
			return invalid("the plugin %q is not of the form category/kind", plugin.Category+"/"+plugin.Kind)
		}
	}
	return nil
}

// names are the names that the plugin's file can have, the usual one first (contract 3.1).
func names(plugin platform.Plugin) []string {
	kind := strings.ReplaceAll(plugin.Kind, "-", "_")
	all := []string{"libdrasi_" + strings.ReplaceAll(plugin.Category, "-", "_") + "_" + kind + ".so"}
	if strings.Contains(plugin.Category, "-") {
		all = append(all, "libdrasi_"+plugin.Category+"_"+kind+".so")
	}
	return all
}

// check finds the files of the plugins, or names all that are missing.
func (p *plugins) check(version string, list []platform.Plugin) ([]pluginFile, error) {
	from := expand(p.from, version)
	found := map[string]pluginFile{}
	var missing []string
	for _, plugin := range list {
		name, ok := present(from, names(plugin))
		if !ok {
			missing = append(missing, reference(plugin))
			continue
		}
		found[name] = pluginFile{name: name, path: filepath.Join(from, name)}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, &platform.TerminalError{Code: platform.CodePluginsMissing, Message: missingText(from, slices.Compact(missing))}
	}
	files := make([]pluginFile, 0, len(found))
	for _, file := range found {
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b pluginFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

func missingText(from string, missing []string) string {
	if from == "" {
		return fmt.Sprintf("plugins are missing: %s; this host was given no directory with plugins", strings.Join(missing, ", "))
	}
	return fmt.Sprintf("plugins are missing: %s; they are not in %s, or cannot be read there", strings.Join(missing, ", "), from)
}

func reference(plugin platform.Plugin) string {
	if plugin.Reference != "" {
		return plugin.Reference
	}
	return plugin.Category + "/" + plugin.Kind
}

// present returns the first of the names that is a file of the directory which the agent can read.
func present(dir string, names []string) (string, bool) {
	if dir == "" {
		return "", false
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if found, err := os.Stat(path); err == nil && found.Mode().IsRegular() && unix.Access(path, unix.R_OK) == nil {
			return name, true
		}
	}
	return "", false
}

// path is the directory of a prepared set.
func (p *plugins) path(key string) string { return filepath.Join(p.into, key) }

// prepared tells whether the directory of a set is there.
func (p *plugins) prepared(key string) bool {
	found, err := os.Stat(p.path(key))
	return key != "" && err == nil && found.IsDir()
}

// prepare makes the directory for a set, unless it is there, and returns its key. From then on the set is the instance's until keep says
// otherwise.
func (p *plugins) prepare(uid, version, executable string, list []platform.Plugin) (string, error) {
	files, err := p.check(version, list)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range files {
		if files[i].sum, err = p.sumOf(files[i].path); err != nil {
			return "", fmt.Errorf("prepare the plugins: %w", err)
		}
	}
	key, err := keyOf(version, triple(executable), list, files)
	if err != nil {
		return "", fmt.Errorf("prepare the plugins: %w", err)
	}
	p.usedMu.Lock()
	p.used[uid] = append(p.used[uid], key)
	p.usedMu.Unlock()
	if p.prepared(key) {
		return key, nil
	}
	err = p.hooks.around(PointPlugin, func() error { return p.make(key, files) })
	if err != nil {
		return "", fmt.Errorf("prepare the plugins: %w", err)
	}
	return key, nil
}

// keyOf names a set by all that it was made from.
func keyOf(version, triple string, list []platform.Plugin, files []pluginFile) (string, error) {
	references := make([]string, 0, len(list))
	for _, plugin := range list {
		references = append(references, plugin.Category+"/"+plugin.Kind+" "+plugin.Reference)
	}
	slices.Sort(references)
	sums := make([]string, 0, len(files))
	for _, file := range files {
		sums = append(sums, file.name+" "+file.sum)
	}
	text, err := json.Marshal([]any{version, triple, slices.Compact(references), sums})
	if err != nil {
		return "", err
	}
	whole := sha256.Sum256(text)
	return hex.EncodeToString(whole[:16]), nil
}

// sumOf returns the sum of a file, read again only when the file is another or was changed.
func (p *plugins) sumOf(path string) (string, error) {
	id, err := identify(path)
	if err != nil {
		return "", err
	}
	if known, ok := p.sums[path]; ok && known.of == id {
		return known.hex, nil
	}
	found, err := hashFile(path)
	if err != nil {
		return "", err
	}
	p.sums[path] = sum{of: id, hex: found}
	return found, nil
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// make makes the directory of a set beside its place and moves it there when it is whole and durable.
func (p *plugins) make(key string, files []pluginFile) error {
	suffix, err := unique(p.random)
	if err != nil {
		return err
	}
	temporary := filepath.Join(p.into, ".new-"+suffix)
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return err
	}
	defer func() { _ = removeTree(temporary) }()
	for _, file := range files {
		if err := p.copy(file, filepath.Join(temporary, file.name)); err != nil {
			return err
		}
	}
	if err := errors.Join(syncDir(temporary), os.Chmod(temporary, 0o555)); err != nil {
		return err
	}
	if err := os.Rename(temporary, p.path(key)); err != nil {
		return err
	}
	return syncDir(p.into)
}

// copy copies a file, sharing its blocks where the file system can. What was copied must be what the key was made from.
func (p *plugins) copy(file pluginFile, to string) error {
	from, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	into, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(into.Fd()), int(from.Fd())) != nil {
		_, err = io.Copy(into, from)
	}
	err = errors.Join(err, into.Chmod(0o444), into.Sync())
	if err = errors.Join(err, into.Close()); err != nil {
		return err
	}
	got, err := hashFile(to)
	if err == nil && got != file.sum {
		delete(p.sums, file.path)
		err = fmt.Errorf("%s was changed while it was being copied", file.path)
	}
	return err
}

// keep says which sets an instance refers to from now on.
func (p *plugins) keep(uid string, keys ...string) {
	p.usedMu.Lock()
	defer p.usedMu.Unlock()
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" })
	if len(keys) == 0 {
		delete(p.used, uid)
		return
	}
	p.used[uid] = keys
}

// sweep removes the sets that no instance refers to.
func (p *plugins) sweep() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	used := p.inUse()
	entries, err := os.ReadDir(p.into)
	if err != nil {
		return fmt.Errorf("remove unused plugins: %w", err)
	}
	for _, entry := range entries {
		if !used[entry.Name()] {
			err = errors.Join(err, removeTree(filepath.Join(p.into, entry.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove unused plugins: %w", err)
	}
	return nil
}

// inUse are the keys that instances refer to.
func (p *plugins) inUse() map[string]bool {
	p.usedMu.Lock()
	defer p.usedMu.Unlock()
	used := map[string]bool{}
	for _, keys := range p.used {
		for _, key := range keys {
			used[key] = true
		}
	}
	return used
}

// removeTree removes a directory of ours that nobody may write to.
func removeTree(path string) error {
	if err := os.Chmod(path, 0o700); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return os.RemoveAll(path)
}
