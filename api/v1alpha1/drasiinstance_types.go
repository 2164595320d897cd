package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Platform is what runs a server.
// +kubebuilder:validation:Enum=Process;Docker;AKS
type Platform string

const (
	// PlatformProcess is a bare OS process on a host.
	PlatformProcess Platform = "Process"
	// PlatformDocker is a container of a host's Docker Engine.
	PlatformDocker Platform = "Docker"
	// PlatformAKS is a native Deployment of the cluster.
	PlatformAKS Platform = "AKS"
)

// InstanceState is what people want of an instance.
// +kubebuilder:validation:Enum=Running;Stopped
type InstanceState string

const (
	// StateRunning asks for a running server. It is the default.
	StateRunning InstanceState = "Running"
	// StateStopped asks for no server, with all data kept.
	StateStopped InstanceState = "Stopped"
)

// Expose is from where a server's listeners can be reached.
// +kubebuilder:validation:Enum=Loopback;Host
type Expose string

const (
	// ExposeLoopback is 127.0.0.1 only. It is the default.
	ExposeLoopback Expose = "Loopback"
	// ExposeHost is every address of the host.
	ExposeHost Expose = "Host"
)

// DrasiInstanceSpec says which server is wanted.
//
// +kubebuilder:validation:XValidation:rule="!has(self.process) || self.platform == 'Process'",fieldPath=".process",message="process must not be set unless platform is Process"
// +kubebuilder:validation:XValidation:rule="!has(self.docker) || self.platform == 'Docker'",fieldPath=".docker",message="docker must not be set unless platform is Docker"
// +kubebuilder:validation:XValidation:rule="!has(self.aks) || self.platform == 'AKS'",fieldPath=".aks",message="aks must not be set unless platform is AKS"
// +kubebuilder:validation:XValidation:rule="!has(self.placement) || self.platform != 'AKS'",fieldPath=".placement",message="placement must not be set where platform is AKS: the cluster's scheduler places pods"
// +kubebuilder:validation:XValidation:rule="!has(self.expose) || self.platform != 'AKS'",fieldPath=".expose",message="expose must not be set where platform is AKS: Services expose pods"
type DrasiInstanceSpec struct {
	// platform is what runs the server: Process, Docker or AKS. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="platform must not be changed: delete the instance and create it anew"
	Platform Platform `json:"platform,omitempty"`

	// state is Running (default) or Stopped.
	// +optional
	State InstanceState `json:"state,omitempty"`

	// version is the version of drasi-server. It picks the installed executable or the image's tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z]([0-9A-Za-z._-]*[0-9A-Za-z])?$`
	Version string `json:"version,omitempty"`

	// restartToken restarts the server once whenever its value changes.
	// +optional
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=253
	RestartToken string `json:"restartToken,omitempty"`

	// config is drasi-server's configuration in its own dialect.
	// +required
	Config ServerConfig `json:"config,omitzero"`

	// env are variables of the server's environment, to which config may refer as "${NAME}".
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Env []EnvVar `json:"env,omitempty"`

	// envFrom are Secrets and ConfigMaps whose keys become variables. env wins over envFrom.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	EnvFrom []EnvFromSource `json:"envFrom,omitempty"`

	// files are files below the server's working directory, taken from Secrets and ConfigMaps, readable by the server only.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=256
	Files []File `json:"files,omitempty"`

	// expose is from where listeners can be reached on Process and Docker: Loopback (default) or Host.
	// +optional
	Expose Expose `json:"expose,omitempty"`

	// ports override or add to the listeners that are derived from config.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Ports []Port `json:"ports,omitempty"`

	// health says what is done about components that are dead. It never restarts anything by being changed.
	// +optional
	Health *Health `json:"health,omitempty"`

	// resources bound what the server may use.
	// +optional
	Resources *Resources `json:"resources,omitempty"`

	// storage says what becomes of the server's data.
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// placement says which hosts may carry the instance on Process and Docker.
	// +optional
	Placement *Placement `json:"placement,omitempty"`

	// updateStrategy says how a change of the configuration reaches the server.
	// +optional
	UpdateStrategy *UpdateStrategy `json:"updateStrategy,omitempty"`

	// startupDeadlineSeconds is how long a start may take before it is reported. Nothing is killed for it. Default: 600.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	StartupDeadlineSeconds int32 `json:"startupDeadlineSeconds,omitempty"`

	// terminationGracePeriodSeconds is how long a graceful stop may take before everything is killed. Default: 60.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	TerminationGracePeriodSeconds int32 `json:"terminationGracePeriodSeconds,omitempty"`

	// process is what only the platform Process has.
	// +optional
	Process *ProcessOptions `json:"process,omitempty"`

	// docker is what only the platform Docker has.
	// +optional
	Docker *DockerOptions `json:"docker,omitempty"`

	// aks is what only the platform AKS has.
	// +optional
	AKS *AKSOptions `json:"aks,omitempty"`
}

// DrasiInstance is one running drasi-server.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=di,categories=drasi
// +kubebuilder:selectablefield:JSONPath=`.status.host`
// +kubebuilder:selectablefield:JSONPath=`.spec.platform`
// +kubebuilder:printcolumn:name="Platform",type=string,JSONPath=`.spec.platform`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.status.host`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Components",type=string,JSONPath=`.status.componentsReady`
// +kubebuilder:printcolumn:name="Restarts",type=integer,JSONPath=`.status.restarts`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Endpoint",type=string,priority=10,JSONPath=`.status.endpoints[?(@.name=="api")].url`
// +kubebuilder:printcolumn:name="Version",type=string,priority=10,JSONPath=`.spec.version`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52",message="metadata.name must have at most 52 characters",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="(has(self.spec.config.id) ? self.spec.config.id : self.metadata.name) == (has(oldSelf.spec.config.id) ? oldSelf.spec.config.id : oldSelf.metadata.name)",message="spec.config.id must not be changed: the server's data hangs on it; delete the instance and create it anew",fieldPath=".spec.config.id"
type DrasiInstance struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata. The name has at most 52 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which server is wanted.
	// +required
	Spec DrasiInstanceSpec `json:"spec,omitzero"`

	// status says what runs.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status DrasiInstanceStatus `json:"status,omitzero"`
}

// DrasiInstanceList is a list of DrasiInstances.
//
// +kubebuilder:object:root=true
type DrasiInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	// items are the instances.
	Items []DrasiInstance `json:"items"`
}
