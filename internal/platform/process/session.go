//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// members returns the living processes of a session but its leader.
func members(session int) ([]identity, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close()
	if err != nil {
		return nil, err
	}
	var found []identity
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == session {
			continue
		}
		if now, err := readStat(pid); err == nil && now.session == session && now.alive() {
			found = append(found, identity{PID: pid, StartTime: now.startTime})
		}
	}
	return found, nil
}

// rest returns the living processes of the session of an ended leader.
//
// As long as one of them is there, the kernel gives the session's number to nobody else. After the last one it may: a leader of that number
// that is not the one which ended means that nothing of ours is left; and where the end was not seen when it happened, each process must be
// connected with the instance's directory as well.
func rest(p *proc, h home) ([]identity, error) {
	if now, err := readStat(p.PID); err == nil && now.startTime != p.StartTime {
		return nil, nil
	}
	found, err := members(p.PID)
	if err != nil {
		return nil, fmt.Errorf("look for what is left of process %d: %w", p.PID, err)
	}
	if !p.seen {
		found = slices.DeleteFunc(found, func(id identity) bool { return !belongs(id.PID, h) })
	}
	return found, nil
}

// killRest sends SIGKILL to what is left of a session.
func killRest(found []identity, session int) error {
	var err error
	for _, id := range found {
		err = errors.Join(err, killMember(id, session))
	}
	return err
}

// killAll sends SIGKILL to a living leader and everything in its session and process group.
func killAll(p *proc) error {
	found, err := members(p.PID)
	// The group is that of p as long as p is there, dead or alive: this catches also what is forked meanwhile.
	if !p.dead() {
		if failed := unix.Kill(-p.PID, unix.SIGKILL); failed != nil && !errors.Is(failed, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill the process group %d: %w", p.PID, failed))
		}
	}
	err = errors.Join(err, killRest(found, p.PID))
	if failed := p.signal(unix.SIGKILL); failed != nil {
		err = errors.Join(err, fmt.Errorf("kill process %d: %w", p.PID, failed))
	}
	return err
}

// killMember kills one process if it is still the one that was found in the session.
func killMember(id identity, session int) error {
	member, err := find(id)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer member.close()
	if now, err := readStat(id.PID); err != nil || now.session != session || now.startTime != id.StartTime {
		return nil
	}
	if err := member.signal(unix.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", id.PID, err)
	}
	return nil
}

// belongs tells whether a process works in the instance's directory or has its output there.
func belongs(pid int, h home) bool {
	below := h.path + "/"
	for _, link := range []string{"cwd", "fd/1", "fd/2"} {
		target, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/" + link)
		if err == nil && strings.HasPrefix(target, below) {
			return true
		}
	}
	return false
}

// ours tells whether a process with the right identity looks like the server of the instance, or like the launcher on its way to become it.
// A journal can be forged; a process that was never ours must not be touched even then.
func ours(pid int, h home) (server, launcher bool, err error) {
	now, err := readStat(pid)
	if err != nil {
		return false, false, err
	}
	if !now.alive() {
		return false, false, errGone
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return false, false, goneOr(err)
	}
	if now.session != pid {
		return false, false, nil
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	// A process that is ending, or is just being executed, has no arguments: it may be either.
	if len(line) == 0 || isLauncher(args, h) {
		return false, true, nil
	}
	for _, arg := range args {
		if arg == h.config() {
			return true, false, nil
		}
	}
	return belongs(pid, h), false, nil
}
