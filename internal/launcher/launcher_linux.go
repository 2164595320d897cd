package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// A package-level init is the one place that runs before the packages which the rest of the program imports.
func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		code, err := launch(os.Args[1:])
		report(err)
		os.Exit(code)
	}
}

// launch does all steps. It returns only when one of them failed, with the exit code.
func launch(args []string) (int, error) {
	if len(args) != 1 {
		return ExitSpec, errors.New("the agent starts this, with the path of a launch specification")
	}
	spec, err := read(args[0])
	if err != nil {
		return ExitSpec, fmt.Errorf("read the launch specification: %w", err)
	}
	l := &launcher{spec: spec, path: args[0]}
	for _, s := range steps {
		if err := s.do(l); err != nil {
			return s.code, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return ExitExec, errors.New("exec returned")
}

// report tells the agent what failed.
func report(err error) {
	text := []byte(err.Error())
	for len(text) > 0 {
		n, err := syscall.Write(StatusFD, text)
		if err != nil || n <= 0 {
			return
		}
		text = text[n:]
	}
}

// read reads the spec with plain system calls: the runtime's poller would cost more than the rest of the launcher.
func read(path string) (*Spec, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }()
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	text := make([]byte, stat.Size)
	for have := 0; have < len(text); {
		n, err := syscall.Read(fd, text[have:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("it ends after %d of %d bytes", have, len(text))
		}
		have += n
	}
	spec := &Spec{}
	if err := json.Unmarshal(text, spec); err != nil {
		return nil, err
	}
	if spec.FormatVersion != FormatVersion {
		return nil, fmt.Errorf("its form is %d, not %d", spec.FormatVersion, FormatVersion)
	}
	return spec, nil
}
