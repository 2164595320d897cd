// Command mkplugins fills a directory with stand-in plugin files for the
// simulated drasi-server.
package main

import (
	"fmt"
	"os"

	"github.com/draas-io/draas/test/drasisim/plugin"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] == "-h" || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "usage: mkplugins DIR [category/kind ...]\n\nWithout references: every plugin of the contract sheet.")
		os.Exit(2)
	}
	if err := fill(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkplugins:", err)
		os.Exit(1)
	}
}

func fill(dir string, refs []string) error {
	if len(refs) == 0 {
		refs = plugin.All()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make plugin directory: %w", err)
	}
	return plugin.WriteSet(dir, refs)
}
