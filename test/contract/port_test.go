package contract

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Ports come from below the ephemeral range, so that no outgoing connection
// takes one, and from a block that this process alone holds, so that two runs
// on one machine never meet.
const (
	firstPort = 22000
	blockSize = 500
	blocks    = 20
)

// block is the first port of this process's block.
var block = sync.OnceValues(takeBlock)

// nextPort counts within the block.
var nextPort atomic.Uint32

// takeBlock locks a block for the life of the process.
func takeBlock() (int, error) {
	dir := filepath.Join(os.TempDir(), "draas-contract-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, fmt.Errorf("make lock directory: %w", err)
	}
	for i := range blocks {
		fd, err := unix.Open(filepath.Join(dir, fmt.Sprint(i)), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o666)
		if err != nil {
			return 0, fmt.Errorf("open port lock: %w", err)
		}
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return firstPort + i*blockSize, nil
		}
		if err := unix.Close(fd); err != nil {
			return 0, fmt.Errorf("close port lock: %w", err)
		}
	}
	return 0, errors.New("every block of ports is taken by another run")
}

func freePort(t *testing.T) int {
	t.Helper()
	first, err := block()
	if err != nil {
		t.Fatalf("find a port: %v", err)
	}
	for range blockSize {
		port := first + int(nextPort.Add(1))%blockSize
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatalf("close listener: %v", err)
		}
		return port
	}
	t.Fatal("no free port")
	return 0
}
