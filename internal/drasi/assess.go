package drasi

import (
	"net/netip"
	"slices"

	"github.com/draas-io/draas/api/v1alpha1"
)

// Problem is what keeps a server from being ready.
type Problem string

const (
	// ProblemNone says: everything that was written runs.
	ProblemNone Problem = ""
	// ProblemNotLoaded says: what is loaded is not what was written: the server is another one, or empty.
	ProblemNotLoaded Problem = "NotLoaded"
	// ProblemInvalidQuery says: a query's text or middleware is refused. Only a change of the configuration helps.
	ProblemInvalidQuery Problem = "InvalidQuery"
	// ProblemPortConflict says: a component that shows Running does not listen where it should.
	ProblemPortConflict Problem = "PortConflict"
	// ProblemBootstrapFailed says: a query got no initial data. It stays so until somebody starts it again (6.3).
	ProblemBootstrapFailed Problem = "BootstrapFailed"
	// ProblemComponentError says: a component is in Error or stopped.
	ProblemComponentError Problem = "ComponentError"
	// ProblemStarting says: components are on their way.
	ProblemStarting Problem = "Starting"
)

// gravity orders problems: of several the one that matters most is told.
func (p Problem) gravity() int {
	return slices.Index([]Problem{
		ProblemNone, ProblemStarting, ProblemComponentError, ProblemBootstrapFailed, ProblemPortConflict, ProblemInvalidQuery, ProblemNotLoaded,
	}, p)
}

// Bounds of what is said.
const (
	maxComponentMessage = 1000
	maxMessage          = 1500
)

// Assessment is how a server stands against what it must have loaded.
type Assessment struct {
	// Loaded says that everything that was written is loaded as it was written. Components that somebody added through the API do not count.
	Loaded bool
	// Difference is the first difference in words, where there is one.
	Difference string
	// Components are sources, queries and reactions in the order of the configuration, then those that were not written.
	Components []ComponentState
	// Ready counts the autoStart components that run, Wanted all of them.
	Ready, Wanted int
	// Problem is the gravest one.
	Problem Problem
	// Message explains the problem: it names the component and repeats the server's words.
	Message string
}

// ComponentState is how a component stands.
type ComponentState struct {
	ID   string
	Type v1alpha1.ComponentType
	// Status is the server's word (4.5), or Missing.
	Status string
	// Message says what is wrong with it.
	Message   string
	AutoStart bool
}

// Statuses of components (4.5).
const (
	statusRunning       = "Running"
	statusStarting      = "Starting"
	statusAdded         = "Added"
	statusReconfiguring = "Reconfiguring"
	statusError         = "Error"
	statusMissing       = "Missing"
)

// Assess compares what a server has loaded with what it must have (6.5). Messages are the error messages of components in Error, by id. Bound
// are the TCP sockets on which the server's own process listens; nil: not known. A snapshot that is nil is that of a server without the instance.
func Assess(want Expectation, got *Snapshot, messages map[string]string, bound []netip.AddrPort) Assessment {
	if got == nil {
		got = &Snapshot{}
	}
	a := assessor{messages: messages, bound: bound, listeners: map[string][]Listener{}}
	for _, l := range want.Listeners {
		a.listeners[l.Component] = append(a.listeners[l.Component], l)
	}
	loaded := indexSnapshot(got)
	a.instance(want.InstanceID, got.InstanceID)
	for _, c := range want.Components {
		a.component(c, loaded)
	}
	a.extras(want.Components, loaded)
	a.out.Loaded = a.out.Difference == ""
	if !a.out.Loaded {
		a.raise(ProblemNotLoaded, a.out.Difference)
	}
	return a.out
}

// assessor gathers an Assessment.
type assessor struct {
	out       Assessment
	messages  map[string]string
	bound     []netip.AddrPort
	listeners map[string][]Listener
}

// raise keeps the gravest problem; of equal ones the first.
func (a *assessor) raise(problem Problem, message string) {
	if problem.gravity() > a.out.Problem.gravity() {
		a.out.Problem, a.out.Message = problem, oneLine(message, maxMessage)
	}
}

func (a *assessor) instance(want, got string) {
	switch {
	case got == "":
		a.differ("the server has no instance " + quoted(want))
	case got != want:
		a.differ("the server's instance is " + quoted(got) + ", not " + quoted(want))
	}
}

func (a *assessor) differ(difference string) {
	if a.out.Difference == "" {
		a.out.Difference = difference
	}
}

// component compares one component and says how it stands.
func (a *assessor) component(want Component, loaded map[componentKey]loadedComponent) {
	state := ComponentState{ID: want.ID, Type: want.Type, AutoStart: want.AutoStart, Status: statusMissing}
	got, there := loaded[componentKey{want.Type, want.ID}]
	if there {
		state.Status = oneLine(got.status, 64)
		if difference := compareComponent(want, got); difference != "" {
			a.differ(named(want) + " " + difference)
		}
	} else {
		a.differ(named(want) + " is not loaded")
	}
	problem, words := a.judge(want, state.Status)
	state.Message = oneLine(words, maxComponentMessage)
	a.out.Components = append(a.out.Components, state)
	if !want.AutoStart {
		return
	}
	a.out.Wanted++
	if problem == ProblemNone {
		a.out.Ready++
		return
	}
	if there {
		a.raise(problem, sentence(named(want), state))
	}
}

// judge says what is wrong with a component, and in which words.
func (a *assessor) judge(want Component, status string) (Problem, string) {
	switch status {
	case statusRunning:
		return a.listens(want)
	case statusError:
		words := a.messages[want.ID]
		return classifyError(want.Type, words), words
	case statusMissing:
		return ProblemNotLoaded, ""
	case statusStarting, statusAdded, statusReconfiguring:
		return ProblemStarting, ""
	default:
		return ProblemComponentError, ""
	}
}

// sentence is a component's problem in a message.
func sentence(name string, state ComponentState) string {
	out := name + " is " + state.Status
	if state.Message != "" {
		out += ": " + state.Message
	}
	return out
}

// named is a component as messages name it.
func named(c Component) string {
	words := map[v1alpha1.ComponentType]string{
		v1alpha1.ComponentSource: "source ", v1alpha1.ComponentQuery: "query ", v1alpha1.ComponentReaction: "reaction ",
	}
	return words[c.Type] + quoted(c.ID)
}

// extras lists components that were not written, without the server's own (4.4).
func (a *assessor) extras(want []Component, loaded map[componentKey]loadedComponent) {
	written := map[componentKey]bool{}
	for _, c := range want {
		written[componentKey{c.Type, c.ID}] = true
	}
	for _, key := range sortedComponents(loaded) {
		if c := loaded[key]; !written[key] && !isInternal(key.id) {
			a.out.Components = append(a.out.Components, ComponentState{
				ID: key.id, Type: key.kind, Status: oneLine(c.status, 64), AutoStart: c.autoStart, Message: "is not in the configuration",
			})
		}
	}
}
