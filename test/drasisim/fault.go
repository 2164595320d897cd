package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// faults are the switches that tests set by environment variables; README.md
// describes them.
type faults struct {
	slowStart      time.Duration
	exitAfter      time.Duration
	exits          bool
	exitCode       int
	exitText       string
	failingSources []string
	hang           bool
	ignoreInt      bool
	stopTakes      time.Duration
	flood          int
	children       int
	setsidChildren int
	record         string
	crashFile      string
	crashText      string
	crashCode      int
	handlerDelay   time.Duration
}

// handlerDelay is the usual gap between the API and the handler (contract 1.6).
const handlerDelay = 2 * time.Millisecond

func readFaults(env environment) (*faults, error) {
	r := faultReader{env: env}
	f := &faults{
		slowStart:      r.millis("SLOW_START_MS", 0),
		exitAfter:      r.millis("EXIT_AFTER_MS", 0),
		exitCode:       r.number("EXIT_CODE", 1),
		exitText:       r.text("EXIT_STDERR"),
		hang:           r.text("HANG") != "",
		ignoreInt:      r.text("IGNORE_SIGINT") != "",
		stopTakes:      r.millis("STOP_MS", 0),
		flood:          r.number("FLOOD_STDOUT_BYTES", 0),
		children:       r.number("CHILDREN", 0),
		setsidChildren: r.number("SETSID_CHILDREN", 0),
		record:         r.text("RECORD"),
		crashFile:      r.text("CRASH_FILE"),
		crashText:      r.text("CRASH_STDERR"),
		crashCode:      r.number("CRASH_CODE", 1),
		handlerDelay:   r.millis("HANDLER_DELAY_MS", handlerDelay),
	}
	f.exits = r.text("EXIT_AFTER_MS") != ""
	if list := r.text("SOURCE_ERROR"); list != "" {
		f.failingSources = strings.Split(list, ",")
	}
	return f, r.err
}

type faultReader struct {
	env environment
	err error
}

func (r *faultReader) text(name string) string {
	val, _ := r.env("DRASISIM_" + name)
	return val
}

func (r *faultReader) number(name string, byDefault int) int {
	text := r.text(name)
	if text == "" {
		return byDefault
	}
	val, err := strconv.Atoi(text)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("DRASISIM_%s: %w", name, err)
	}
	return val
}

func (r *faultReader) millis(name string, byDefault time.Duration) time.Duration {
	return time.Duration(r.number(name, int(byDefault/time.Millisecond))) * time.Millisecond
}

// crash tells whether the file is there that makes this start fail.
func (f *faults) crash() bool {
	if f.crashFile == "" {
		return false
	}
	_, err := os.Stat(f.crashFile)
	return err == nil
}

// floodLine is what flooding repeats.
const floodLine = "drasisim floods stdout drasisim floods stdout drasisim floods s\n"

// floodLines is how many of them are written at once.
const floodLines = 1024

func (f *faults) floodStdout(log *logger) {
	block := strings.Repeat(floodLine, floodLines)
	for left := f.flood; left > 0; left -= len(block) {
		log.raw(block[:min(left, len(block))])
	}
}
