package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// identity returns what tells this machine's agent from any other that has the same host name by mistake: a random text that is kept in the
// state directory, with the servers.
func identity(stateDir string) (string, error) {
	file := filepath.Join(stateDir, "identity")
	data, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(data)) != "" {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the agent's identity: %w", err)
	}
	text := rand.Text()
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the agent's identity: %w", err)
	}
	return text, nil
}
