//go:build linux

package process

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/draas-io/draas/internal/rotate"
)

// exitLines is how much of an output goes into an Exit.
const exitLines = 4096

// output is an output file of an instance. The server appends to it by itself, so that nothing blocks it when nobody looks; package rotate keeps it
// near the limit.
type output struct {
	path  string
	limit int64
}

// start is where a run's part of an output begins.
type start struct {
	from int64
	// cut tells which cut was the last one by then; nil: nobody looked.
	cut *int64
}

// room is what a run can write at least before its beginning is cut off with what was there before.
const room = 64 << 10

// begin prepares the file for another run, and tells where it begins. A file that is nearly full is cut now, so that what is cut off during the
// run ends with what the run wrote.
func (o *output) begin() start {
	size := sizeOf(o.path)
	if size > 0 && size+room > o.limit {
		_ = rotate.Cut(o.path, o.limit)
		size = sizeOf(o.path)
	}
	cut := o.lastCut()
	return start{from: size, cut: &cut}
}

// lastCut tells cuts apart: it is when the part that was cut off was written.
func (o *output) lastCut() int64 {
	found, err := os.Stat(rotate.Previous(o.path))
	if err != nil {
		return 0
	}
	return found.ModTime().UnixNano()
}

// wasCut tells whether the file has been cut since the run began. Without a mark only its size tells, as long as it has not grown again.
func (o *output) wasCut(s start) bool {
	if s.cut == nil {
		return sizeOf(o.path) < s.from
	}
	return o.lastCut() != *s.cut
}

// tail returns at most limit of the last bytes of a run. Where the file has been cut meanwhile, that is all of it, after what was cut off.
func (o *output) tail(s start, limit int) ([]byte, error) {
	if !o.wasCut(s) {
		text, _, err := lastOf(o.path, s.from, limit)
		return text, err
	}
	text, size, err := lastOf(o.path, 0, limit)
	if err != nil || size >= int64(limit) {
		return text, err
	}
	before, _, err := lastOf(rotate.Previous(o.path), 0, limit-len(text))
	return append(before, text...), err
}

// lastOf reads the last bytes of a file, none before from.
func lastOf(path string, from int64, limit int) ([]byte, int64, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	found, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := found.Size()
	begin := max(size-int64(limit), from)
	if begin >= size {
		return nil, size, nil
	}
	text, err := io.ReadAll(io.NewSectionReader(file, begin, size-begin))
	return text, size, err
}

// lines makes text of the last bytes of an output: whole lines as far as there are any, and valid UTF-8.
func lines(tail []byte, whole bool) string {
	text := string(tail)
	if !whole {
		if _, after, ok := strings.Cut(text, "\n"); ok && after != "" {
			text = after
		}
	}
	return strings.ToValidUTF8(text, "?")
}

// sizeOf is how big a file is; one that is not there has no size.
func sizeOf(path string) int64 {
	found, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return found.Size()
}
