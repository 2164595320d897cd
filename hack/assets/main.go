// Command assets prints the directory that has etcd, kube-apiserver and kubectl, and makes it when there is none. Progress goes to standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/draas-io/draas/hack/controlplane/asset"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
}

func run() error {
	root := flag.String("root", ".", "root of the repository")
	find := flag.Bool("find", false, "only look, neither download nor build")
	noDownload := flag.Bool("no-download", false, "leave setup-envtest out and build from modules")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &asset.Resolver{Root: *root, Log: os.Stderr, NoDownload: *noDownload}
	resolve := r.Resolve
	if *find {
		resolve = func(context.Context) (string, error) { return r.Find() }
	}
	dir, err := resolve(ctx)
	if err != nil {
		return err
	}
	fmt.Println(dir)
	return nil
}
