package rotate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Cut copies the last part of a file to Previous, at most kept bytes of it, and empties the file. What is written in between is lost, and nobody
// waits.
func Cut(path string, kept int64) error {
	from, err := Open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	// A new file costs the file system less than one that is emptied: ext4 writes that to the disk when it is closed, and the next cut would wait
	// for it.
	err = os.Remove(Previous(path))
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = keep(from, Previous(path), kept)
	}
	// A disk that is full is all the more a reason to empty the file.
	return errors.Join(err, from.Truncate(0))
}

// keep copies the last part of a file.
func keep(from *os.File, path string, kept int64) error {
	found, err := from.Stat()
	if err != nil {
		return err
	}
	into, err := Open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err = from.Seek(max(found.Size()-kept, 0), io.SeekStart); err == nil {
		_, err = io.Copy(into, io.LimitReader(from, kept))
	}
	return errors.Join(err, into.Close())
}

// Open opens a file of this process's user for writing. It must be a file that nothing else leads to: nothing that a server could have planted.
func Open(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := own(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return file, nil
}

// own refuses what is not a file of this process's user alone.
func own(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	found, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case found.Nlink != 1:
		return fmt.Errorf("%d names lead to it", found.Nlink)
	case int(found.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d", found.Uid)
	}
	return nil
}
