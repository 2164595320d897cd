//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// journalFormat is the version of a journal's form.
const journalFormat = 1

// want is what shall be.
type want string

const (
	wantRunning want = "Running"
	wantStopped want = "Stopped"
)

// record is what the driver remembers of an instance. It holds no value of the environment.
type record struct {
	FormatVersion int    `json:"formatVersion"`
	UID           string `json:"uid"`
	Namespace     string `json:"namespace"`
	Name          string `json:"name"`
	InstanceID    string `json:"instanceID"`
	// User is the number of the user of the host that is the instance's own; 0: it has none.
	User uint32 `json:"user,omitempty"`
	// BootID is the host's run in which this was written.
	BootID string `json:"bootID"`
	Want   want   `json:"want"`

	// Current is what runs, or ran last.
	Current *input `json:"current,omitempty"`
	// Next is what shall run instead.
	Next *input `json:"next,omitempty"`
	// Replacing says that Current shall run until Next can.
	Replacing bool `json:"replacing,omitempty"`
	// NextFailures counts the tries of Next that could not be made in a row, and NextRetryAt is when the next one is due.
	NextFailures int       `json:"nextFailures,omitempty"`
	NextRetryAt  time.Time `json:"nextRetryAt,omitzero"`
	// LastSeq is the highest number that an input was given.
	LastSeq uint64 `json:"lastSeq"`
	// Run is the process; nil: none.
	Run *run `json:"run,omitempty"`
	// StdoutFrom and StderrFrom are where in the output files the present or last run begins.
	StdoutFrom int64 `json:"stdoutFrom,omitempty"`
	StderrFrom int64 `json:"stderrFrom,omitempty"`
	// StdoutCut and StderrCut tell which cut of the files was the last one when that run began; nil: an earlier release did not look.
	StdoutCut *int64 `json:"stdoutCut,omitempty"`
	StderrCut *int64 `json:"stderrCut,omitempty"`
	// Stop is the request that the process end; nil: none.
	Stop *stopping `json:"stop,omitempty"`

	// Restarts counts starts that nobody asked for.
	Restarts int32 `json:"restarts"`
	// Unasked says that the next start will be one.
	Unasked bool `json:"unasked,omitempty"`
	// Failures counts short runs and failed starts of Current in a row.
	Failures int `json:"failures,omitempty"`
	// RetryAt is when the next start of Current is due.
	RetryAt time.Time `json:"retryAt,omitzero"`
	// LastExit is how the server last ended by itself.
	LastExit *platform.Exit `json:"lastExit,omitempty"`
}

// run is a run of the server, from the moment on in which its process was made.
type run struct {
	identity
	Incarnation string    `json:"incarnation"`
	StartedAt   time.Time `json:"startedAt"`
	Port        uint16    `json:"port"`
	// Cgroup is where its cgroup is; nil: it has none.
	Cgroup *place `json:"cgroup,omitempty"`
	// Own says that it runs as the instance's own user.
	Own bool `json:"own,omitempty"`
	// OOMKills is how often the kernel had killed in that group for want of memory before the run.
	OOMKills uint64 `json:"oomKills,omitempty"`
}

// stopping is a request that the process end.
type stopping struct {
	Since time.Time     `json:"since"`
	Grace time.Duration `json:"grace"`
}

// due is the input of the next start.
func (r *record) due() *input {
	if r.Next != nil {
		return r.Next
	}
	return r.Current
}

// drop takes back what shall run instead.
func (r *record) drop() {
	r.Next, r.Replacing, r.NextFailures, r.NextRetryAt = nil, false, 0, time.Time{}
}

// of returns the input of that number; nil: there is none any more.
func (r *record) of(seq uint64) *input {
	for _, in := range []*input{r.Current, r.Next} {
		if in != nil && in.Seq == seq {
			return in
		}
	}
	return nil
}

// replace puts a changed copy in the place of the input of its number.
func (r *record) replace(in *input) {
	if r.Next != nil && r.Next.Seq == in.Seq {
		r.Next = in
	} else {
		r.Current = in
	}
}

// stdout and stderr are where the present or last run begins in its output files.
func (r *record) stdout() start { return start{from: r.StdoutFrom, cut: r.StdoutCut} }
func (r *record) stderr() start { return start{from: r.StderrFrom, cut: r.StderrCut} }

// startsAt is when the next try to start something is due.
func (r *record) startsAt() time.Time {
	switch {
	case r.Next == nil:
		return r.RetryAt
	case r.Replacing && r.NextFailures >= patientTries && r.RetryAt.Before(r.NextRetryAt):
		return r.RetryAt
	default:
		return r.NextRetryAt
	}
}

// ref names the instance.
func (r *record) ref() platform.Ref {
	return platform.Ref{UID: r.UID, Namespace: r.Namespace, Name: r.Name}
}

// label names the instance for people.
func (r *record) label() string { return label(r.ref()) }

func label(ref platform.Ref) string {
	if ref.Name == "" {
		return ref.UID
	}
	return ref.Namespace + "/" + ref.Name
}

// loadJournal reads the journal of an instance. No journal is no error: the directory was made, and nothing else came of it.
func loadJournal(h home, uid string) (*record, error) {
	text, err := os.ReadFile(h.journal())
	if errors.Is(err, os.ErrNotExist) {
		// It may have been moved away since somebody looked.
		if _, err := os.Lstat(h.path); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if h.started() {
			return nil, fmt.Errorf("the journal %s is missing, although a server was started here", h.journal())
		}
		return &record{FormatVersion: journalFormat, UID: uid, Want: wantStopped}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	read := &record{}
	if err := json.Unmarshal(text, read); err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", h.journal(), err)
	}
	if err := read.validate(uid); err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", h.journal(), err)
	}
	return read, nil
}

// validate refuses a journal from which nothing may be concluded.
func (r *record) validate(uid string) error {
	switch {
	case r.FormatVersion != journalFormat:
		return fmt.Errorf("its form is %d and this program knows only %d", r.FormatVersion, journalFormat)
	case r.UID != uid:
		return fmt.Errorf("it is that of instance %q", r.UID)
	case r.Want != wantRunning && r.Want != wantStopped:
		return fmt.Errorf("it wants %q", r.Want)
	case r.BootID == "":
		return errors.New("it has no boot id")
	case r.Want == wantRunning && r.due() == nil:
		return errors.New("it says that something shall run, but not what")
	case r.Restarts < 0 || r.Failures < 0 || r.NextFailures < 0:
		return errors.New("a count is negative")
	case (r.Run != nil || r.Replacing) && r.Current == nil:
		return errors.New("something runs, but it does not say what")
	}
	return errors.Join(r.Run.validate(uid), r.Current.validate(r.LastSeq), r.Next.validate(r.LastSeq))
}

// validate refuses a run that can be none of this instance's. No run is fine. Of its group's name only the end is always the same: what comes
// before it is the state directory's.
func (r *run) validate(uid string) error {
	if r == nil {
		return nil
	}
	if r.Cgroup != nil && !strings.HasSuffix(r.Cgroup.Name, "-"+uid) {
		return fmt.Errorf("its run is in the cgroup %q, which is none of this instance's", r.Cgroup.Name)
	}
	if r.PID <= 1 || r.StartTime == 0 || r.Incarnation == "" || r.Port == 0 {
		return errors.New("its run names no process of ours")
	}
	return nil
}

// save writes the journal, so that after a crash of the host either the old or the new one is there, whole. Whether it is the new one is only
// sure once the name is durable, which it is made where it is new: no process survives such a crash, and of what shall be the caller tells again.
func (w writer) save(h home, r *record, known bool) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	err = w.write(PointJournal, h.journal(), append(text, '\n'), 0o600)
	if err == nil && !known {
		err = syncDir(h.path)
	}
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}
