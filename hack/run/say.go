package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/draas-io/draas/hack/proc"
)

// sayInterval is how often a person who waits is told what for.
const sayInterval = 2 * time.Second

// say prints a line with the time since the start. There are no spinners and no control characters: the output may as well be a file.
func (s *system) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, "%7.1fs  %s\n", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}

// Write takes the progress of others, one line at a time, so that it looks like ours.
func (s *system) Write(line []byte) (int, error) {
	n := len(line)
	for n > 0 && line[n-1] == '\n' {
		n--
	}
	s.say("%s", line[:n])
	return len(line), nil
}

// during says what is done, and again now and then until it is.
func (s *system) during(what string, do func() error) error {
	s.say("%s", what)
	result := make(chan error, 1)
	go func() { result <- do() }()
	began := time.Now()
	tick := time.NewTicker(sayInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-result:
			return err
		case <-tick.C:
			s.say("  … %s (%s)", what, time.Since(began).Round(time.Second))
		}
	}
}

// poll asks until the answer is done or the context has ended, and says now and then what it waits for: ask returns that as a text, and an error only where no waiting helps.
func (s *system) poll(ctx context.Context, timeout time.Duration, what string, ask func(context.Context) (done bool, news string, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%s: not within %s", what, timeout))
	defer cancel()
	s.say("%s", what)
	began, said := time.Now(), time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	last := ""
	for {
		done, news, err := ask(ctx)
		if err != nil || done {
			return err
		}
		if ctx.Err() != nil {
			return ended(ctx, cmp.Or(news, last))
		}
		if (news != last && news != "") || time.Since(said) >= sayInterval {
			s.say("  … %s (%s)", news, time.Since(began).Round(time.Second))
			last, said = news, time.Now()
		}
		select {
		case <-ctx.Done():
			return ended(ctx, last)
		case <-tick.C:
		}
	}
}

// ended is why a wait ended, with what was seen last.
func ended(ctx context.Context, last string) error {
	if last == "" {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: last seen: %s", context.Cause(ctx), last)
}

// pollInterval is short beside what a start takes.
const pollInterval = 200 * time.Millisecond

// quote prints the end of a part's log.
func (s *system) quote(p *proc.Process) {
	const lines = 20
	s.say("the last lines of %s:", p.Log())
	for _, line := range p.Tail(lines) {
		s.say("  | %s", line)
	}
}
