package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// failure is a text in the real server's own words.
type failure string

func (f failure) Error() string { return string(f) }

func failf(format string, args ...any) error { return failure(fmt.Sprintf(format, args...)) }

// osError words an operating system error as Rust does.
func osError(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return failure(err.Error())
	}
	text := errno.Error()
	return failf("%s%s (os error %d)", strings.ToUpper(text[:1]), text[1:], int(errno))
}
