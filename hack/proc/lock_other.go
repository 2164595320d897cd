//go:build !unix

package proc

import "errors"

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("held by another process")

// TryLock refuses: without a lock two runs could take each other's files away.
func TryLock(string) (func(), error) {
	return nil, errors.New("file locks are used on Unix systems only")
}
