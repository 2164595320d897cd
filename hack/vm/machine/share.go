package machine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// File is a file or directory that the guest gets.
type File struct {
	// From is where it is here.
	From string
	// To is its place below /vm in the guest; empty means From's last element.
	To string
}

// shareFiles makes a disk of the files, with room for as much again.
func shareFiles(ctx context.Context, files []File, dir, disk string) error {
	stage := filepath.Join(dir, "share")
	if err := os.Mkdir(stage, 0o755); err != nil {
		return fmt.Errorf("make a directory for the guest's files: %w", err)
	}
	defer func() { _ = os.RemoveAll(stage) }()
	var total int64
	for _, f := range files {
		if f.To == "" {
			f.To = filepath.Base(f.From)
		}
		n, err := stageTree(f.From, filepath.Join(stage, filepath.FromSlash(f.To)))
		if err != nil {
			return err
		}
		total += n
	}
	const least, unit = 256 << 20, 1 << 20
	return makeDisk(ctx, disk, stage, strconv.FormatInt((2*total+least)/unit, 10)+"M")
}

// stageTree copies a file or a tree and says how many bytes that were.
func stageTree(from, to string) (total int64, err error) {
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		n, err := copyFile(path, target)
		total += n
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("copy %s for the guest: %w", from, err)
	}
	return total, nil
}

func copyFile(from, to string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return n, err
}
