package controlplane

import (
	"encoding/json"
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
func loadPorts(dir string) (ports, error) {
	file := filepath.Join(dir, "ports.json")
	var p ports
	if text, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(text, &p) // an unreadable file is as good as none: new ports are chosen
	} else if !os.IsNotExist(err) {
		return p, fmt.Errorf("read the remembered ports: %w", err)
	}
	if err := choose(&p.Etcd, &p.APIServer); err != nil {
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

// choose leaves the ports that are free and sets the others anew. All are held until the last is found, so that no two become the same.
func choose(wanted ...*int) error {
	for _, port := range wanted {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(*port)))
		if err != nil {
			l, err = net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		}
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}
