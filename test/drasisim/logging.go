package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// logger writes lines to stdout as the real server's subscriber does
// (contract 1.7).
type logger struct {
	mu     sync.Mutex
	out    io.Writer
	level  int
	colour bool
	now    func() time.Time
}

const (
	levelError = iota
	levelWarn
	levelInfo
	levelDebug
	levelTrace
)

// levelNames lists the levels as a configuration spells them.
func levelNames() []string { return []string{"error", "warn", "info", "debug", "trace"} }

// levelTitle is a level as the API spells it.
func levelTitle(level int) string { return []string{"Error", "Warn", "Info", "Debug", "Trace"}[level] }

func levelColour(level int) string { return []string{"31", "33", "32", "34", "35"}[level] }

// newLogger takes RUST_LOG before the configured level, and colours unless
// NO_COLOR says otherwise.
func newLogger(out io.Writer, env environment, configured string) *logger {
	l := &logger{out: out, level: levelInfo, now: time.Now}
	if noColour, _ := env("NO_COLOR"); noColour == "" {
		l.colour = true
	}
	l.setLevel(env, configured)
	return l
}

func (l *logger) setLevel(env environment, configured string) {
	name := configured
	if rust, ok := env("RUST_LOG"); ok {
		name, _, _ = strings.Cut(rust, ",")
	}
	for i, known := range levelNames() {
		if strings.EqualFold(name, known) {
			l.level = i
		}
	}
}

func (l *logger) write(level int, target, format string, args ...any) {
	if level > l.level {
		return
	}
	stamp := l.now().UTC().Format("2006-01-02T15:04:05.000000Z")
	title := fmt.Sprintf("%5s", strings.ToUpper(levelNames()[level]))
	text := fmt.Sprintf(format, args...)
	line := fmt.Sprintf("%s %s %s: %s\n", stamp, title, target, text)
	if l.colour {
		line = fmt.Sprintf("\x1b[2m%s\x1b[0m \x1b[%sm%s\x1b[0m \x1b[2m%s\x1b[0m\x1b[2m:\x1b[0m %s\n",
			stamp, levelColour(level), title, target, text)
	}
	l.raw(line)
}

// raw writes text as it is, as println does.
func (l *logger) raw(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A reader that went away must not end the server.
	_, _ = io.WriteString(l.out, text)
}

func (l *logger) info(target, format string, args ...any) {
	l.write(levelInfo, target, format, args...)
}

func (l *logger) warn(target, format string, args ...any) {
	l.write(levelWarn, target, format, args...)
}

func (l *logger) err(target, format string, args ...any) {
	l.write(levelError, target, format, args...)
}
