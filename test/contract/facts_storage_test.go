package contract

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Contract 1.5: data lies below the working directory, under the hex of the
// instance's id.
func TestDataPaths(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	source := freePort(t)
	f.config["id"] = "a/b ü"
	f.config["persistIndex"] = true
	f.config["sources"] = []any{mock("m"), object{
		"kind": "http", "id": "h", "host": "127.0.0.1", "port": source, "durability": object{"enabled": true},
	}}
	f.up()
	f.stop()
	want := []string{"data/id-612f6220c3bc/index/q/", "data/id-612f6220c3bc/wal/h.redb", "server.yaml"}
	if diff := cmp.Diff(want, leftFiles(t, f.dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Contract 2.6: a query may keep its index in memory all the same.
func TestMemoryBackend(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["persistIndex"] = true
	f.config["queries"] = []any{with(counting("q", "m"), "storageBackend", object{"kind": "memory", "enableArchive": true})}
	f.up()
	f.status("/api/v1/instances/t/queries/q", "Running")
	f.stop()
	if left := leftFiles(t, f.dir); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
}

// Contract 6.6: a persistent index wants sources that can replay.
func TestPersistentIndexWantsReplay(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["persistIndex"] = true
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": freePort(t)}}
	f.up()
	item := f.status("/api/v1/instances/t/queries/q", "Error")
	if text, ok := item["error_message"].(string); !ok || !strings.Contains(text, "do not support replay") {
		t.Errorf("item: %v", item)
	}
}

// Contract 1.5 and 2.9: the state store's folder must be there.
func TestStateStore(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["stateStore"] = object{"kind": "redb", "path": "./nodir/state.redb"}
	f.run().refuses("Error: Storage error: Failed to create/open redb database at \"./nodir/state.redb\": I/O error: No such file or directory (os error 2)\n")

	f = newFull(t)
	f.config["stateStore"] = object{"kind": "redb", "path": "${STORE:-./state.redb}"}
	f.up()
	f.stop()
	if diff := cmp.Diff([]string{"server.yaml", "state.redb"}, leftFiles(t, f.dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
