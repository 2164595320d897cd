package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DrasiHostSpec says how people want a host to be used.
type DrasiHostSpec struct {
	// unschedulable cordons the host: it keeps what it carries and takes no further instance.
	// +optional
	Unschedulable *bool `json:"unschedulable,omitempty"`

	// namespaceSelector says by their labels which namespaces' instances the host takes. Absent means all namespaces.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// outOfService is a person's word that the machine is dead and that nothing on it runs any more.
	// +optional
	OutOfService *bool `json:"outOfService,omitempty"`
}

// PlatformHealth is the state of a platform on a host.
// +kubebuilder:validation:Enum=Undetected;Unhealthy;Healthy
type PlatformHealth string

const (
	// PlatformUndetected says that the platform was never seen on the host.
	PlatformUndetected PlatformHealth = "Undetected"
	// PlatformUnhealthy says that the platform is there and does not work.
	PlatformUnhealthy PlatformHealth = "Unhealthy"
	// PlatformHealthy says that the platform works.
	PlatformHealthy PlatformHealth = "Healthy"
)

// PlatformLimits is what becomes of spec.resources.limits on a platform of a host.
// +kubebuilder:validation:Enum=Enforced;Unenforced;Refused
type PlatformLimits string

const (
	// LimitsEnforced says that the kernel enforces limits.
	LimitsEnforced PlatformLimits = "Enforced"
	// LimitsUnenforced says that nothing enforces limits, and that instances with limits are taken all the same.
	LimitsUnenforced PlatformLimits = "Unenforced"
	// LimitsRefused says that nothing enforces limits, and that no instance with limits is taken.
	LimitsRefused PlatformLimits = "Refused"
)

// HostPlatform is what a host offers on one platform.
type HostPlatform struct {
	// type is the platform.
	// +required
	Type Platform `json:"type,omitempty"`

	// health says whether the platform works on the host.
	// +required
	Health PlatformHealth `json:"health,omitempty"`

	// versions are the versions of drasi-server that can be run.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Versions []string `json:"versions,omitempty"`

	// capacity is how many instances the host takes on this platform; absent means no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	Capacity *int32 `json:"capacity,omitempty"`

	// limits is what becomes of spec.resources.limits of an instance: Enforced, Unenforced (it is taken all the same) or Refused (it is not taken).
	// Absent means that it is not known, and then no instance with limits is taken.
	// +optional
	Limits PlatformLimits `json:"limits,omitempty"`

	// message says in words what is wrong, or what the host cannot do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// DrasiHostStatus is what the host's agent says of its host.
// +kubebuilder:validation:MinProperties=1
type DrasiHostStatus struct {
	// conditions tell whether the agent can serve instances: see Ready. OrphansHeld is there only while orphans are not stopped.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the agent last looked at.
	// +optional
	// +kubebuilder:default=-1
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// address is the address at which exposed listeners of the host's instances answer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Address string `json:"address,omitempty"`

	// agentVersion is the version of the agent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AgentVersion string `json:"agentVersion,omitempty"`

	// publicKey is the key to which Secrets for this host are sealed, in base64.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	PublicKey string `json:"publicKey,omitempty"`

	// platforms are what the host offers.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	Platforms []HostPlatform `json:"platforms,omitempty"`
}

// DrasiHost is a machine that an agent serves. The agent creates it; labels and spec belong to administrators.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dh,categories=drasi
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Cordoned",type=boolean,JSONPath=`.spec.unschedulable`
// +kubebuilder:printcolumn:name="Platforms",type=string,JSONPath=`.status.platforms[*].type`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.address`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Versions",type=string,priority=10,JSONPath=`.status.platforms[*].versions`
// +kubebuilder:printcolumn:name="Agent",type=string,priority=10,JSONPath=`.status.agentVersion`
type DrasiHost struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata. The name is the host's: the Node's name where there is one.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says how people want the host to be used.
	// +optional
	Spec DrasiHostSpec `json:"spec,omitzero"`

	// status is what the host's agent says.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status DrasiHostStatus `json:"status,omitzero"`
}

// DrasiHostList is a list of DrasiHosts.
//
// +kubebuilder:object:root=true
type DrasiHostList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	// items are the hosts.
	Items []DrasiHost `json:"items"`
}
