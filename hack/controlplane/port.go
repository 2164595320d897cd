package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const loopback = "127.0.0.1"

// ports are remembered, so that kubeconfigs stay good over a restart.
type ports struct {
	Etcd      int `json:"etcd"`
	APIServer int `json:"apiserver"`
}

// loadPorts reads the remembered ports and replaces those that somebody else has taken meanwhile.
func loadPorts(ctx context.Context, dir string) (ports, error) {
	file := filepath.Join(dir, "ports.json")
	var p ports
	if text, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(text, &p) // an unreadable file is as good as none: new ports are chosen
	} else if !os.IsNotExist(err) {
		return p, fmt.Errorf("read the remembered ports: %w", err)
	}
	if err := choose(ctx, &p.Etcd, &p.APIServer); err != nil {
		return p, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return p, fmt.Errorf("remember the ports: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return p, fmt.Errorf("remember the ports: %w", err)
	}
	return p, nil
}

// choose leaves the ports that are free and sets the others anew.
func choose(ctx context.Context, wanted ...*int) (err error) {
	var held []net.Listener // until the last is found, so that no two become the same
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, port := range wanted {
		l, err := listen(ctx, *port)
		if err != nil {
			l, err = listen(ctx, 0)
		}
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, l)
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
}
