package contract

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Ports come from below the ephemeral range, so that no outgoing connection
// takes one, from below those of the other tests, which run beside these, and
// from a block that this process alone holds, so that two runs on one machine
// never meet.
const (
	firstPort = 10000
	blockSize = 500
	blocks    = 20
)

// portBlock is a range of ports that belongs to this process.
type portBlock struct {
	first int
	// claim is open for as long as the process lives.
	claim net.Listener
}

var block = sync.OnceValues(takeBlock)

// nextPort counts within the block.
var nextPort atomic.Uint32

// takeBlock claims a block by listening on its first port for the life of the
// process.
func takeBlock() (portBlock, error) {
	for i := range blocks {
		first := firstPort + i*blockSize
		if claim, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first)); err == nil {
			return portBlock{first: first, claim: claim}, nil
		}
	}
	return portBlock{}, errors.New("every block of ports is taken by another run")
}

func freePort(t *testing.T) int {
	t.Helper()
	mine, err := block()
	if err != nil {
		t.Fatalf("find a port: %v", err)
	}
	for range blockSize {
		port := mine.first + 1 + int(nextPort.Add(1))%(blockSize-1)
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
