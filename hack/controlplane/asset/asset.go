// Package asset finds, downloads or builds the binaries of a local control plane: etcd, kube-apiserver and kubectl.
//
// They are looked for in $KUBEBUILDER_ASSETS, then in a per-user cache outside the checkout, then fetched by setup-envtest where its download works, and else built
// from the Go modules that hack/k8s pins, so that Go, make and git are all that a machine needs.
package asset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// EnvDir names the environment variable with a directory of ready-made binaries, as controller-runtime's envtest reads it.
const EnvDir = "KUBEBUILDER_ASSETS"

// Binaries are the executables that a complete directory holds.
func Binaries() []string { return []string{"etcd", "kube-apiserver", "kubectl"} }

// ErrNotFound says that neither the environment nor the cache has a complete set.
var ErrNotFound = errors.New("no control plane binaries in " + EnvDir + " or the cache: run `make assets`")

// Resolver finds the directory with the binaries, making it where it does not exist yet.
type Resolver struct {
	// Root is the root of the repository, which has hack/k8s and hack/tools.mk.
	Root string
	// Cache is the per-user directory; empty means DefaultCache.
	Cache string
	// Log receives progress, one line at a time.
	Log io.Writer
	// NoDownload leaves setup-envtest out.
	NoDownload bool
}

// DefaultCache is the per-user directory that outlives checkouts: $XDG_CACHE_HOME/draas, by default ~/.cache/draas.
func DefaultCache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w", err)
	}
	return filepath.Join(base, "draas"), nil
}

// Find returns the directory from the environment or the cache and makes nothing; ErrNotFound when neither is complete.
func (r *Resolver) Find() (string, error) {
	dir, err := r.fromEnvironment()
	if err != nil || dir != "" {
		return dir, err
	}
	v, cache, err := r.versions()
	if err != nil {
		return "", err
	}
	if dir, ok := v.cached(cache); ok {
		return dir, nil
	}
	return "", ErrNotFound
}

// Resolve returns the directory, downloading or building what is in it when it must.
func (r *Resolver) Resolve(ctx context.Context) (string, error) {
	dir, err := r.Find()
	if !errors.Is(err, ErrNotFound) {
		return dir, err
	}
	v, cache, err := r.versions()
	if err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), r.logf)
	if err != nil {
		return "", err
	}
	defer unlock()
	if dir, ok := v.cached(cache); ok { // somebody else made it while we waited
		return dir, nil
	}
	if !r.NoDownload {
		dir, err := r.download(ctx, v, cache)
		if err == nil {
			return dir, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
		r.logf("no prebuilt binaries (%v): building them from Go modules, once per user", err)
	}
	return r.build(ctx, v, cache)
}

func (r *Resolver) fromEnvironment() (string, error) {
	dir := os.Getenv(EnvDir)
	if dir == "" {
		return "", nil
	}
	if missing := incomplete(dir); missing != "" {
		r.logf("%s=%s is not used: it has no executable %s", EnvDir, dir, missing)
		return "", nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("make %s absolute: %w", EnvDir, err)
	}
	return dir, nil
}

func (r *Resolver) versions() (versions, string, error) {
	cache := r.Cache
	if cache == "" {
		base, err := DefaultCache()
		if err != nil {
			return versions{}, "", err
		}
		cache = base
	}
	v, err := readVersions(r.Root)
	return v, filepath.Join(cache, "k8s"), err
}

func (r *Resolver) logf(format string, args ...any) {
	if r.Log != nil {
		_, _ = fmt.Fprintf(r.Log, format+"\n", args...)
	}
}

// incomplete names the first binary that dir lacks, or nothing when it has all.
func incomplete(dir string) string {
	for _, name := range Binaries() {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Mode().Perm()&0o100 == 0 {
			return name
		}
	}
	return ""
}
