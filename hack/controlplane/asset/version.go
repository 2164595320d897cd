package asset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
	stampFile        = "build-id"
)

// versions are what the repository pins; the two files named here are the only places to change them.
type versions struct {
	kubernetes   string // hack/k8s/go.mod
	etcd         string // hack/k8s/go.mod
	setupEnvtest string // hack/tools.mk
	stamp        string // of everything that enters the build
}

func readVersions(root string) (versions, error) {
	mod, err := os.ReadFile(filepath.Join(root, "hack", "k8s", "go.mod"))
	if err != nil {
		return versions{}, fmt.Errorf("read the pinned control plane versions: %w", err)
	}
	tools, err := os.ReadFile(filepath.Join(root, "hack", "tools.mk"))
	if err != nil {
		return versions{}, fmt.Errorf("read the pinned tool versions: %w", err)
	}
	v := versions{
		kubernetes:   pinned(mod, kubernetesModule),
		etcd:         pinned(mod, etcdModule),
		setupEnvtest: pinned(tools, "SETUP_ENVTEST_VERSION :="),
	}
	if v.kubernetes == "" || v.etcd == "" || v.setupEnvtest == "" {
		return versions{}, fmt.Errorf("hack/k8s/go.mod and hack/tools.mk must pin kubernetes (%q), etcd (%q) and setup-envtest (%q)", v.kubernetes, v.etcd, v.setupEnvtest)
	}
	sum := sha256.Sum256(append(mod, v.ldflags()...))
	v.stamp = hex.EncodeToString(sum[:])
	return v, nil
}

// pinned finds the version that follows name on a line of its own.
func pinned(text []byte, name string) string {
	m := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(name) + `\s+(v[0-9][^\s]*)`).FindSubmatch(text)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// ldflags stamp the version into the binaries: unstamped, the server reports one that clients cannot parse.
func (v versions) ldflags() string {
	parts := strings.SplitN(strings.TrimPrefix(v.kubernetes, "v"), ".", 3)
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags, "-X "+pkg+".gitVersion="+v.kubernetes, "-X "+pkg+".gitMajor="+parts[0], "-X "+pkg+".gitMinor="+parts[min(1, len(parts)-1)], "-X "+pkg+".gitTreeState=clean")
	}
	return strings.Join(flags, " ")
}

// dir is where this version is kept below cache.
func (v versions) dir(cache string) string {
	return filepath.Join(cache, v.kubernetes+"-"+runtime.GOOS+"-"+runtime.GOARCH)
}

// cached returns the directory of an earlier build or download, when it is complete and what is pinned now.
func (v versions) cached(cache string) (string, bool) {
	dir := v.dir(cache)
	stamp, err := os.ReadFile(filepath.Join(dir, stampFile))
	if err != nil || strings.TrimSpace(string(stamp)) != v.stamp || incomplete(dir) != "" {
		return "", false
	}
	return dir, true
}
