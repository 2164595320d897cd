// Command crdsize fails when a CRD is about to become too large to be applied: `kubectl apply` on the client's side keeps a copy of the object in an annotation of at most 262,144
// bytes, and etcd, Helm and GitOps tools have limits not far above it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

const (
	// maxJSON is our own limit, which leaves room to notice growth in time.
	maxJSON = 180 << 10
	// maxFile is the annotation's.
	maxFile = 262144
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crdsize DIRECTORY")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crdsize:", err)
		os.Exit(1)
	}
}

func check(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("list CRDs: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("no *.yaml in %s", dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read a CRD: %w", err)
		}
		json, err := yaml.YAMLToJSON(text)
		if err != nil {
			return fmt.Errorf("convert %s: %w", file, err)
		}
		if len(json) >= maxJSON || len(text) >= maxFile {
			return fmt.Errorf("%s has %d bytes and %d in JSON: the limits are %d and %d", file, len(text), len(json), maxFile, maxJSON)
		}
		fmt.Printf("%s: %d bytes, %d in JSON (limits %d, %d)\n", file, len(text), len(json), maxFile, maxJSON)
	}
	return nil
}
