// Package launcher is what stands between fork and exec of a server: the agent starts its own executable again under the name Name, and this
// package's init takes over before anything else of the program is initialised. It makes a clean process out of what it was given, waits for
// the agent's word that the process has been recorded, and becomes the server. Nothing of it stays.
//
// A server never has more rights than its Spec says: a step that fails ends the launcher before exec, with the step's exit code. Whatever the
// Spec says, a server has no capabilities and can gain none.
//
// It imports the standard library only. Packages are initialised in the order of their paths once what they import is, so with golang.org/x/sys
// among its imports this one would come after most of what the program imports from github.com, at the cost of every start.
package launcher

// Name is the argument zero under which the executable is the launcher. The one argument is the path of the Spec.
const Name = "draas-launcher"

// What the launcher is given beside standard input, output and error.
const (
	// GoFD is the end of a pipe from which one byte is read: the word to go on. The end of the pipe without it means that the agent died
	// before it had recorded the process, which then must not become a server.
	GoFD = 3
	// StatusFD is the end of a pipe to which a failing step writes its text. Exec closes it: nothing in it means success.
	StatusFD = 4
)

// Exit codes of a launcher that did not become the server.
const (
	// ExitSpec: no usable spec.
	ExitSpec = 110
	// ExitStep: a step failed; the text says which.
	ExitStep = 111
	// ExitNoGo: the agent was gone before it gave the word.
	ExitNoGo = 112
	// ExitExec: the executable could not be executed.
	ExitExec = 113
)

// FormatVersion is the version of Spec's form.
const FormatVersion = 2

// Spec is what the launcher is to do. It is a file that only its owner can read, since values of the environment may be secret; it is
// removed once the word to go on was given, so that its absence tells a start that was made from one that was not.
//
// What a person chose is kept as bytes: JSON strings would not carry every value.
type Spec struct {
	FormatVersion int `json:"formatVersion"`
	// Incarnation names the run.
	Incarnation string `json:"incarnation"`
	// Executable is the absolute path of the server.
	Executable []byte `json:"executable"`
	// Args are its arguments, with number zero.
	Args [][]byte `json:"args"`
	// Env is its whole environment, each entry NAME=VALUE.
	Env [][]byte `json:"env"`
	// Dir is its working directory.
	Dir []byte `json:"dir"`
	// Umask is its file mode creation mask.
	Umask int `json:"umask"`
	// CgroupProcs are the absolute paths of the files through which it joins its groups (cgroup.procs, or tasks), one for each hierarchy. It has joined them all
	// before it waits for the word.
	CgroupProcs [][]byte `json:"cgroupProcs,omitempty"`
	// Limits are its resource limits.
	Limits []Limit `json:"limits,omitempty"`
	// OOMScoreAdj is what it gets as far as is permitted.
	OOMScoreAdj int `json:"oomScoreAdj"`
	// User is who it runs as. Nil: who the agent runs as, with the agent's supplementary groups.
	User *User `json:"user,omitempty"`
}

// User is who a server runs as: these real, effective, saved and file system ids, and no supplementary groups. Probe tells whether the agent
// may choose it.
type User struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Limit is a resource limit.
type Limit struct {
	// Resource is the number of the limit, for instance RLIMIT_NOFILE.
	Resource int `json:"resource"`
	// Soft is the wanted limit.
	Soft uint64 `json:"soft"`
	// Cap makes the hard limit the same. Without it the hard limit is left where it is, or raised to the soft one.
	Cap bool `json:"cap,omitempty"`
	// Required makes it an error when the limit may not be set. Without it the server gets as much of it as is permitted.
	Required bool `json:"required,omitempty"`
}
