// Package platform is the contract between the instance pipeline and what runs servers. It knows no Kubernetes: a Driver is given a Desired
// and tells an Observed; what that means for an object is the pipeline's business.
package platform

import (
	"context"
	"net/netip"
	"time"
)

// Driver runs servers on one platform. Every method may be called again at any time, also after a crash of the caller between any two steps,
// and then does what is still missing. Methods return soon: what takes long goes on beside them and is seen by Inspect.
//
// Errors are one of the classes in errors.go; any other error is worth another try.
type Driver interface {
	// Fingerprint tells whether the platform works and which versions of drasi-server it can run.
	Fingerprint(ctx context.Context) (Fingerprint, error)

	// List tells of every runtime that carries our mark, also of stopped ones that have left something behind.
	List(ctx context.Context) ([]Observed, error)

	// Inspect tells of one runtime. The error is ErrNotFound when nothing of it is there.
	Inspect(ctx context.Context, ref Ref) (Observed, error)

	// Ensure makes the runtime run with the desired inputs: nothing there, it is created; ours with the same hash, it is adopted; ours with
	// another hash, it is replaced if desired.Replace says so, else left alone (a WaitError). From then on the driver restarts it when it
	// ends by itself, with backoff, until Stop. Somebody else's runtime under our name is a TerminalError.
	Ensure(ctx context.Context, desired Desired) error

	// Stop begins to stop the runtime, or goes on with it: gracefully, and after grace (counted from the first call) by force. The caller
	// repeats until Inspect says Stopped or ErrNotFound. A shorter grace of a later call counts, a longer one does not. Nothing there is success.
	Stop(ctx context.Context, ref Ref, grace time.Duration) error

	// Remove takes away what a stopped runtime left behind: files, ports, marks; with keepData the server's data stays on the host.
	// A runtime that still runs is a WaitError. Nothing there is success.
	Remove(ctx context.Context, ref Ref, keepData bool) error
}

// Notifier is a Driver that tells when something happened to a runtime. A lost notification must only cost time: callers also relist.
type Notifier interface {
	// Notify registers the one function that is called, from any goroutine and without blocking, after each change of a runtime.
	Notify(func(Ref))
}

// Resumer is a Driver of which nothing survives a restart of its host, and which waits then to be told what still belongs there.
type Resumer interface {
	// Resume starts again what ran, or was to run, when the host went down, with the inputs that it had. It is for a parked runtime of which the
	// desired inputs cannot be given; Ensure does the same where they can. A runtime that is not parked is left as it is. ErrNotFound: nothing of it is there.
	Resume(ctx context.Context, ref Ref) error
}

// SocketLister is a Driver that knows which sockets a runtime listens on.
type SocketLister interface {
	// Sockets lists the TCP addresses on which processes of the runtime listen. ErrNotFound: it does not run.
	Sockets(ctx context.Context, ref Ref) ([]netip.AddrPort, error)
}

// Tailer is a Driver that can show what a runtime has printed.
type Tailer interface {
	// Tail returns at most limit of the last bytes that the runtime's present or last run printed on standard output.
	Tail(ctx context.Context, ref Ref, limit int) ([]byte, error)
}

// Ref names a runtime. UID is its identity; namespace and name are for people.
type Ref struct {
	UID       string
	Namespace string
	Name      string
}

// Desired is everything that a driver needs to run a server.
type Desired struct {
	Ref

	// Hash is the input hash: a runtime of another hash is not the desired one.
	Hash string
	// Generation of the object that Hash was computed from. It never decides on a replacement.
	Generation int64
	// Replace allows a runtime of another hash to be stopped.
	Replace bool

	// Version of drasi-server.
	Version string
	// InstanceID is the server's instance id, on which data paths hang (contract 1.5). A different one for the same UID is a TerminalError.
	InstanceID string
	// Config is the configuration file's content.
	Config []byte
	// Env is the server's environment beside the driver's fixed variables. Values may be secret.
	Env []EnvVar
	// Plugins are the plugins in use.
	Plugins []Plugin
	// Folders are made below the server's working directory before a start. Each is a clean relative path.
	Folders []string

	// Expose asks for listening on every address instead of loopback only.
	Expose bool
	// APIPort is the wished port of the server's API; 0: none.
	APIPort uint16
	// Listeners are those of components.
	Listeners []Listener
	// Resources bound the server and everything that it starts.
	Resources Resources

	// Grace is how long a graceful stop may take when the runtime is replaced.
	Grace time.Duration
}

// Resources are limits; 0 is none.
type Resources struct {
	// Memory is in bytes.
	Memory int64 `json:"memory,omitempty"`
	// CPU is in thousandths of a core.
	CPU int64 `json:"cpu,omitempty"`
}

// EnvVar is a variable of a server's environment.
type EnvVar struct {
	Name  string
	Value string
}

// Plugin names a plugin of drasi-server (contract 3.1).
type Plugin struct {
	// Category is source, reaction, bootstrap, secret-store or identity.
	Category string
	// Kind is for instance postgres.
	Kind string
	// Reference is how the configuration refers to it, or category/kind.
	Reference string
}

// Listener is a TCP listener of a component. Drivers keep it with the run, as it is.
type Listener struct {
	// Component is the id of the component.
	Component string `json:"component,omitempty"`
	// Name names the listener for people.
	Name string `json:"name,omitempty"`
	// Address is the IP address it binds. Not valid: a host name, which may stand for any.
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
	// Scheme and Path make a URL of it.
	Scheme string `json:"scheme,omitempty"`
	Path   string `json:"path,omitempty"`
}

// Overlaps says whether two listeners cannot exist beside each other on one host.
func (l Listener) Overlaps(other Listener) bool {
	anywhere := func(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }
	return l.Port == other.Port && (l.Address.Unmap() == other.Address.Unmap() || anywhere(l.Address) || anywhere(other.Address))
}

// State of a runtime.
type State string

const (
	// StateRunning: a process is there and shall be.
	StateRunning State = "Running"
	// StateStopping: a process is there, and it is being stopped: it shall not be, or not with these inputs.
	StateStopping State = "Stopping"
	// StateWaiting: no process is there, and the driver will start one by itself (backoff), or could not yet.
	StateWaiting State = "Waiting"
	// StateStopped: no process is there and none shall be.
	StateStopped State = "Stopped"
)

// Observed is what is known of a runtime.
type Observed struct {
	Ref

	State State
	// Hash, Generation, InstanceID, Version and Config are those of what runs, or else of what ran last.
	Hash       string
	Generation int64
	InstanceID string
	Version    string
	Config     []byte
	Listeners  []Listener
	// NextHash is the hash that the next start will have, where one is due and differs from Hash.
	NextHash string

	// Incarnation differs between any two runs of the server, on any host and after any restart of the driver. Empty: nothing runs.
	Incarnation string
	// PID of the server's process on the driver's host, where there is one; else 0.
	PID int
	// API is where the server's API listens or will listen.
	API netip.AddrPort
	// Expose says whether it was asked to listen on every address.
	Expose bool
	// StartedAt is when what runs was started; zero: nothing runs.
	StartedAt time.Time
	// LogDirectory is where the server's output is on the host.
	LogDirectory string
	// StartError is why the last start could not even be tried; nil where it could.
	StartError error

	// Restarts counts the starts that nobody asked for.
	Restarts int32
	// LastExit is how the server last ended by itself; nil: it never did since it was last told to start.
	LastExit *Exit
	// RetryAt is when the next start is due in StateWaiting.
	RetryAt time.Time
	// Parked says that a runtime is stopped since its host was restarted, and shall run as soon as the driver is told so (Ensure, Resume, Stop).
	Parked bool
}

// ExitReason classifies an end.
type ExitReason string

const (
	// ExitCompleted: code 0.
	ExitCompleted ExitReason = "Completed"
	// ExitError: another code.
	ExitError ExitReason = "Error"
	// ExitKilled: a signal.
	ExitKilled ExitReason = "Killed"
	// ExitOOMKilled: the kernel, for want of memory.
	ExitOOMKilled ExitReason = "OOMKilled"
	// ExitUnknown: the end was not seen, and the kernel does not tell any more.
	ExitUnknown ExitReason = "Unknown"
)

// Exit is how a server ended by itself.
type Exit struct {
	Reason ExitReason
	// Code is the exit code, nil where unknown or not applicable.
	Code *int32
	// Signal is the number of the signal, 0 where none.
	Signal int32
	// OwnLimit says of an ExitOOMKilled whether it was for the memory limit of the runtime itself, and not for one of more than it or for the end of the
	// host's memory; nil: that is not known, or it is another end.
	OwnLimit *bool `json:",omitempty"`
	// FinishedAt is when the end was noticed.
	FinishedAt time.Time
	// Ran is for how long the server had run.
	Ran time.Duration
	// Stderr are the last lines of standard error, at most 4,096 bytes.
	Stderr string
	// Stdout are the last lines of standard output, at most 4,096 bytes.
	Stdout string
	// Hash is the input hash of what ended.
	Hash string
}

// Health of a platform.
type Health string

const (
	// HealthUndetected: never seen on this host.
	HealthUndetected Health = "Undetected"
	// HealthUnhealthy: there, and it does not work.
	HealthUnhealthy Health = "Unhealthy"
	// HealthHealthy: it works.
	HealthHealthy Health = "Healthy"
)

// Limits is what becomes of Resources on a platform.
type Limits string

const (
	// LimitsEnforced: the kernel enforces them.
	LimitsEnforced Limits = "Enforced"
	// LimitsUnenforced: nothing enforces them, and the administrator takes instances with limits all the same.
	LimitsUnenforced Limits = "Unenforced"
	// LimitsRefused: nothing enforces them, so an instance with limits is not taken.
	LimitsRefused Limits = "Refused"
)

// Fingerprint is what a platform offers.
type Fingerprint struct {
	Health Health
	// Limits tells what becomes of an instance with Resources; empty: not known.
	Limits Limits
	// Versions of drasi-server that can be run, sorted.
	Versions []string
	// Message says in words what is wrong or what cannot be done.
	Message string
}
