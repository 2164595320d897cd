package fake

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/draas-io/draas/internal/platform"
)

// uid is what can name a runtime on every platform.
var uid = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// validate tells of inputs that no platform could run.
func validate(desired *platform.Desired) error {
	switch {
	case !uid.MatchString(desired.UID):
		return invalid("the UID cannot name a runtime")
	case desired.Hash == "":
		return invalid("the hash is missing")
	}
	for _, variable := range desired.Env {
		if variable.Name == "" || strings.ContainsAny(variable.Name, "=\x00") || strings.ContainsRune(variable.Value, 0) {
			return invalid("a variable cannot be in an environment")
		}
	}
	for _, folder := range desired.Folders {
		if folder == "" || path.IsAbs(folder) || path.Clean(folder) != folder || folder == ".." || strings.HasPrefix(folder, "../") {
			return invalid("a folder is not below the working directory")
		}
	}
	return nil
}

func invalid(message string) error {
	return &platform.TerminalError{Code: platform.CodeInvalid, Message: message}
}

// clone makes the inputs independent of the caller's.
func clone(desired *platform.Desired) platform.Desired {
	own := *desired
	own.Config = bytes.Clone(desired.Config)
	own.Env = slices.Clone(desired.Env)
	own.Plugins = slices.Clone(desired.Plugins)
	own.Folders = slices.Clone(desired.Folders)
	own.Listeners = slices.Clone(desired.Listeners)
	return own
}
