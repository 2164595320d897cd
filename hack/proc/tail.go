package proc

import (
	"errors"
	"io"
	"os"
	"strings"
)

// tailWindow bounds what is read of a log's end.
const tailWindow = 64 << 10

// Tail returns the last lines that this run of the part wrote, at most n.
func (p *Process) Tail(n int) []string {
	f, err := os.Open(p.spec.Log)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	defer func() { _ = f.Close() }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	from := max(p.logStart, size-tailWindow)
	text := make([]byte, size-from)
	if _, err := f.ReadAt(text, from); err != nil && !errors.Is(err, io.EOF) {
		return []string{"(no log: " + err.Error() + ")"}
	}
	return lastLines(string(text), n)
}

func lastLines(text string, n int) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}
