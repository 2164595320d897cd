//go:build !linux

package main

import (
	"errors"
	"os"
	"time"
)

const roleVariable = "DRASISIM_ROLE"

var started = time.Now()

func monotonic() int64 { return int64(time.Since(started)) }

func tryLock(path string) (file *os.File, free bool, err error) {
	file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	return file, true, err
}

func (f *faults) spawnChildren() error {
	if f.children+f.setsidChildren > 0 {
		return errors.New("children are simulated on Linux only")
	}
	return nil
}

func beStubborn() {}
