package agent

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
)

// identity is what tells this machine's agent from any other that has the same host name by mistake: a random text that is kept in the state
// directory, with the servers.
type identity struct {
	file string
	text string
	log  logr.Logger
	// kept says that the text is on disk, and told that it was logged that it is not.
	kept, told bool
	// unread says that the file is there and could not be read. What it says may be right, so it is left as it is.
	unread bool
}

// openIdentity reads the text, or makes one. A disk that cannot be read or written keeps no agent from the servers that run.
func openIdentity(stateDir string, log logr.Logger) *identity {
	i := &identity{file: filepath.Join(stateDir, "identity"), log: log}
	data, err := os.ReadFile(i.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error(err, "The agent's identity cannot be read: it has another until the next start, and waits until the Lease has stood still", "file", i.file)
		i.unread = true
	}
	if i.text = strings.TrimSpace(string(data)); err == nil && i.text != "" {
		i.kept = true
		return i
	}
	i.text = rand.Text()
	i.keep()
	return i
}

// keep writes the text down where that has not been done yet.
func (i *identity) keep() {
	if i.kept || i.unread {
		return
	}
	err := replace(i.file, []byte(i.text+"\n"))
	i.kept = err == nil
	switch {
	case err == nil && i.told:
		i.log.Info("The agent's identity is kept now")
	case err != nil && !i.told:
		i.told = true
		i.log.Error(err, "The agent's identity cannot be kept: until it is, an agent that is started anew waits until the Lease has stood still")
	}
}
