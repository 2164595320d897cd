//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// input is what a start needs, as far as the journal may hold it. The rest is in a file that only its owner can read.
type input struct {
	// Seq tells the instance's inputs apart and names the file.
	Seq        uint64              `json:"seq"`
	Hash       string              `json:"hash"`
	Generation int64               `json:"generation"`
	Version    string              `json:"version"`
	Plugins    []platform.Plugin   `json:"plugins,omitempty"`
	Folders    []string            `json:"folders,omitempty"`
	Expose     bool                `json:"expose,omitempty"`
	Wish       uint16              `json:"wish,omitempty"`
	Listeners  []platform.Listener `json:"listeners,omitempty"`
	Grace      time.Duration       `json:"grace"`
	// Resources bound the server.
	Resources platform.Resources `json:"resources,omitzero"`
	// Port is where the API listens, or will listen.
	Port uint16 `json:"port"`
	// PluginKey names the prepared directory with the plugins; "": none was prepared yet.
	PluginKey string `json:"pluginKey,omitempty"`

	// config is the configuration file's content.
	config []byte
}

// sealed is the file beside the journal.
type sealed struct {
	Config []byte     `json:"config"`
	Env    []variable `json:"env"`
}

// variable is an environment variable, its value as bytes: a JSON string would not carry every value.
type variable struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// newInput copies what is desired.
func newInput(desired *platform.Desired) (*input, sealed) {
	in := &input{
		Hash: desired.Hash, Generation: desired.Generation, Version: desired.Version, Plugins: slices.Clone(desired.Plugins),
		Folders: slices.Clone(desired.Folders), Expose: desired.Expose, Wish: desired.APIPort, Listeners: slices.Clone(desired.Listeners),
		Grace: desired.Grace, Resources: desired.Resources, config: slices.Clone(desired.Config),
	}
	file := sealed{Config: in.config}
	for _, v := range desired.Env {
		file.Env = append(file.Env, variable{Name: v.Name, Value: []byte(v.Value)})
	}
	return in, file
}

// validate refuses an input that can be none of ours. No input is fine.
func (in *input) validate(lastSeq uint64) error {
	switch {
	case in == nil:
		return nil
	case in.Seq == 0 || in.Seq > lastSeq:
		return fmt.Errorf("an input has number %d of %d", in.Seq, lastSeq)
	case in.Hash == "":
		return errors.New("an input has no hash")
	case in.Port == 0:
		return errors.New("an input has no port")
	}
	return nil
}

// use is which ports the input takes.
func (in *input) use() use { return use{api: in.Port, listeners: in.Listeners} }

// api is where the API listens, or will listen.
func (in *input) api() netip.AddrPort { return netip.AddrPortFrom(apiAddress(in.Expose), in.Port) }

// saveInput writes the file of the input, which must be there before a journal refers to it.
func (w writer) saveInput(h home, seq uint64, file sealed) error {
	text, err := json.Marshal(file)
	if err == nil {
		err = w.write(PointInput, h.input(seq), text, 0o400)
	}
	if err == nil {
		err = syncDir(h.path)
	}
	if err != nil {
		return fmt.Errorf("write the inputs: %w", err)
	}
	return nil
}

func loadInput(h home, seq uint64) (sealed, error) {
	var file sealed
	text, err := os.ReadFile(h.input(seq))
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		return sealed{}, fmt.Errorf("read the inputs: %w", err)
	}
	return file, nil
}

// tidy removes from the directory of an instance what the journal does not refer to any more, and what a dead agent has left unfinished.
func tidy(h home, r *record) {
	entries, err := os.ReadDir(h.path)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(h.path, entry.Name())
		kept := r.Current != nil && path == h.input(r.Current.Seq) || r.Next != nil && path == h.input(r.Next.Seq)
		if strings.HasPrefix(entry.Name(), "input-") && !kept || strings.HasSuffix(entry.Name(), ".tmp") {
			_ = os.Remove(path)
		}
	}
}

// validateUID refuses what is no name of a directory.
func validateUID(uid string) error {
	if !uidForm.MatchString(uid) {
		return invalid("the UID %q cannot name a directory", uid)
	}
	return nil
}

// validate tells of inputs that can never be run.
func validate(desired *platform.Desired) error {
	switch {
	case desired.Hash == "":
		return invalid("the input hash is missing")
	case desired.InstanceID == "":
		return invalid("the instance id is missing")
	case len(desired.Config) == 0:
		return invalid("the configuration is empty, and the server would run without any")
	case desired.Grace < 0:
		return invalid("the grace is negative")
	case !versionForm.MatchString(desired.Version):
		return invalid("the version %q is not of the form of a version", desired.Version)
	}
	if desired.Resources.Memory < 0 || desired.Resources.CPU < 0 {
		return invalid("a limit is negative")
	}
	if err := validateEnv(desired.Env); err != nil {
		return err
	}
	if err := validateFolders(desired.Folders); err != nil {
		return err
	}
	for _, listener := range desired.Listeners {
		if listener.Port == 0 {
			return invalid("the listener of component %s has no port", listener.Component)
		}
	}
	return validatePlugins(desired.Plugins)
}

func validateFolders(folders []string) error {
	for _, folder := range folders {
		if !filepath.IsLocal(folder) || filepath.Clean(folder) != folder || strings.ContainsRune(folder, 0) {
			return invalid("the folder %q is not below the server's working directory", folder)
		}
	}
	return nil
}

// mostVariable is how many bytes a variable may have with its name, the sign between them and the NUL at its end: Linux executes nothing that is
// given a longer one (MAX_ARG_STRLEN, execve(2)).
const mostVariable = 128 << 10

// mostEnvironment is how many bytes all of them may have: Linux gives arguments and environment a quarter of the stack's limit, and that is 8 MiB
// nearly everywhere.
const mostEnvironment = 1 << 20

// validateEnv never shows a value.
func validateEnv(env []platform.EnvVar) error {
	all := 0
	for _, v := range env {
		size := len(v.Name) + len(v.Value) + len("=\x00")
		if all += size; size > mostVariable {
			return invalid("the environment variable %s has %d bytes with its name, and Linux starts no server with more than %d", v.Name, size, mostVariable)
		}
		if all > mostEnvironment {
			return invalid("the environment has more than %d bytes, up to the variable %s", mostEnvironment, v.Name)
		}
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") {
			return invalid("%q cannot be the name of an environment variable", v.Name)
		}
		if strings.ContainsRune(v.Value, 0) {
			return invalid("the value of the environment variable %s has a NUL character, which no environment can hold", v.Name)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &platform.TerminalError{Code: platform.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}
