package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Endpoint is a listener of the server and where it answers.
type Endpoint struct {
	// name names the listener: api, the component's id, or the name given in spec.ports.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`

	// component is the id of the component that listens.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Component string `json:"component,omitempty"`

	// port is the port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// url is an address that answers from where spec.expose says.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
}

// ComponentType is the type of a component of a server.
// +kubebuilder:validation:Enum=Source;Query;Reaction
type ComponentType string

const (
	// ComponentSource is a source.
	ComponentSource ComponentType = "Source"
	// ComponentQuery is a continuous query.
	ComponentQuery ComponentType = "Query"
	// ComponentReaction is a reaction.
	ComponentReaction ComponentType = "Reaction"
)

// ComponentStatus is what the server says of a component.
type ComponentStatus struct {
	// id is the component's id.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ID string `json:"id,omitempty"`

	// type is Source, Query or Reaction.
	// +required
	Type ComponentType `json:"type,omitempty"`

	// status is the server's word for the component's state (contract 4.5), or Missing.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Status string `json:"status,omitempty"`

	// message explains a state that is not as it should be.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// restarts counts how often the component was healed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Restarts int32 `json:"restarts,omitempty"`
}

// Termination is how a server ended.
type Termination struct {
	// exitCode is the exit code, where the server exited and the code is known.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// signal is the number of the signal that killed the server.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	Signal int32 `json:"signal,omitempty"`

	// reason is Completed, Error, Killed, OOMKilled or Unknown.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// finishedAt is when the end was noticed.
	// +required
	FinishedAt metav1.Time `json:"finishedAt,omitzero"`

	// message are the last lines of the server's standard error; where these explain nothing also the last ERROR lines of its standard output.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
}

// ProcessRuntime is the runtime on the platform Process.
type ProcessRuntime struct {
	// pid is the process's id on its host, while it runs.
	// +optional
	// +kubebuilder:validation:Minimum=1
	PID int32 `json:"pid,omitempty"`

	// logDirectory is the directory on the host that holds the server's output.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	LogDirectory string `json:"logDirectory,omitempty"`
}

// Runtime is what runs the server, by platform.
// +kubebuilder:validation:MinProperties=1
type Runtime struct {
	// process is the runtime on the platform Process.
	// +optional
	Process *ProcessRuntime `json:"process,omitempty"`
}

// DrasiInstanceStatus is what is observed of the server. It can be rebuilt from the world but for host, the placement.
// +kubebuilder:validation:MinProperties=1
type DrasiInstanceStatus struct {
	// conditions tell how the instance is: Ready is the summary of Placed, ConfigValid, ConfigApplied, Live and ComponentsReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that was last examined.
	// +optional
	// +kubebuilder:default=-1
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// host is the name of the DrasiHost that carries the instance.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// endpoints are the server's listeners.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=512
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// components are the server's sources, queries and reactions.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=768
	Components []ComponentStatus `json:"components,omitempty"`

	// componentsReady says how many of the components that should run do, for instance 5/6.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	ComponentsReady string `json:"componentsReady,omitempty"`

	// restarts counts the starts that the spec did not ask for.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Restarts *int32 `json:"restarts,omitempty"`

	// startedAt is when what runs was started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// lastTermination is how the server last ended by itself.
	// +optional
	LastTermination *Termination `json:"lastTermination,omitempty"`

	// runtime is what runs the server.
	// +optional
	Runtime *Runtime `json:"runtime,omitempty"`
}
