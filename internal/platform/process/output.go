//go:build linux

package process

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

// exitLines is how much of an output goes into an Exit.
const exitLines = 4096

// How often output files are looked at: often while they grow, so that they stay near their limit, and seldom when nothing happens.
const (
	outputSoonest = 2 * time.Millisecond
	// outputSoon is when a file is looked at after the first write to it: a disk takes some 10 MiB in that time.
	outputSoon   = 10 * time.Millisecond
	outputLatest = 2 * time.Second
)

// output is an output file of an instance. The server appends to it by itself, so that nothing blocks it when nobody looks.
type output struct {
	path  string
	limit int64

	// size is what it had when it was looked at last, seen when that was; wait is when to look again.
	size int64
	seen time.Time
	wait time.Duration
	// armed says that the kernel will tell of the next write.
	armed bool
}

// previous is where the file's older part is kept.
func (o *output) previous() string { return o.path + ".1" }

// stir notes that a file is being written to again. Its speed counts from now on.
func (o *output) stir(now time.Time) {
	o.armed = false
	if o.wait > outputSoon {
		o.seen, o.wait = now, outputSoon
	}
}

// look cuts the file if it has become too big, and decides when to look again.
func (o *output) look(now time.Time) error {
	passed := now.Sub(o.seen)
	o.seen = now
	found, err := os.Stat(o.path)
	if err != nil {
		o.wait = outputLatest
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	size := found.Size()
	grown := size - o.size
	if size > o.limit {
		err = o.cut(size)
		size = sizeOf(o.path)
	}
	switch {
	case err != nil:
		// Nothing can be written, perhaps not even cut: there is no hurry.
		o.wait = outputLatest
	case grown <= 0:
		o.wait = min(max(2*o.wait, outputSoonest), outputLatest)
	case passed > 0:
		// Half the time that it takes to fill the file at this speed.
		full := time.Duration(float64(o.limit-size) / float64(grown) * float64(passed))
		o.wait = min(max(full/2, outputSoonest), outputLatest)
	default:
		o.wait = outputSoonest
	}
	o.size = size
	return err
}

// cut keeps the last part of the file beside it and empties it. What is written in between is lost, and nobody waits.
func (o *output) cut(size int64) error {
	from, err := openOwn(o.path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	into, err := openOwn(o.previous(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err == nil {
		begin := max(size-o.limit, 0)
		_, err = io.Copy(into, io.LimitReader(io.NewSectionReader(from, begin, size-begin), o.limit))
		err = errors.Join(err, into.Close())
	}
	// A disk that is full is all the more a reason to empty the file.
	return errors.Join(err, from.Truncate(0))
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
		if err := o.cut(size); err == nil {
			size = 0
		}
	}
	cut := o.lastCut()
	return start{from: size, cut: &cut}
}

// lastCut tells cuts apart: it is when the part that was cut off was written.
func (o *output) lastCut() int64 {
	found, err := os.Stat(o.previous())
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
	before, _, err := lastOf(o.previous(), 0, limit-len(text))
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
