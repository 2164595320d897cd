package controlplane

import (
	"net"
	"strconv"
	"testing"
)

func TestPortsAreRememberedUnlessTaken(t *testing.T) {
	dir := t.TempDir()
	first, err := loadPorts(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(first.Etcd)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	second, err := loadPorts(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if second.Etcd == first.Etcd {
		t.Error("a port that somebody else has was kept")
	}
	if second.APIServer != first.APIServer {
		t.Errorf("a free port was given up: %d, then %d", first.APIServer, second.APIServer)
	}
}
