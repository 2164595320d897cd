//go:build !linux

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// catchInterrupt installs the SIGINT handler; that it was absent before is
// simulated on Linux only.
func catchInterrupt() <-chan os.Signal {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGINT)
	return caught
}
