package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EnvVar is a variable of the server's environment. References of the form $(VAR) are not expanded in it.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.valueFrom))",message="value and valueFrom must not both be set"
type EnvVar struct {
	// name is the variable's name. Names that make a program load other code than its own are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^=\x00]+$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('LD_') && !(self in ['GLIBC_TUNABLES', 'GCONV_PATH', 'LOCPATH', 'OPENSSL_CONF', 'OPENSSL_ENGINES', 'OPENSSL_MODULES'])",message="name must not be one by which foreign code is loaded into the server (LD_*, GLIBC_TUNABLES, GCONV_PATH, LOCPATH, OPENSSL_CONF, OPENSSL_ENGINES, OPENSSL_MODULES)"
	Name string `json:"name,omitempty"`

	// value is the variable's value, as it is.
	// +optional
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	Value *string `json:"value,omitempty"`

	// valueFrom takes the value from a Secret or ConfigMap of the instance's namespace.
	// +optional
	ValueFrom *ValueSource `json:"valueFrom,omitempty"`
}

// ValueSource is a key of a Secret or of a ConfigMap.
//
// +kubebuilder:validation:ExactlyOneOf=secretKeyRef;configMapKeyRef
type ValueSource struct {
	// secretKeyRef is a key of a Secret.
	// +optional
	SecretKeyRef *KeyReference `json:"secretKeyRef,omitempty"`

	// configMapKeyRef is a key of a ConfigMap.
	// +optional
	ConfigMapKeyRef *KeyReference `json:"configMapKeyRef,omitempty"`
}

// KeyReference is a key of an object in the instance's namespace.
type KeyReference struct {
	// name is the object's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key is the key in the object's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`

	// optional says that the object or the key may be absent: the variable or file is then absent too.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// EnvFromSource turns the keys of a Secret or ConfigMap into variables.
//
// +kubebuilder:validation:ExactlyOneOf=secretRef;configMapRef
type EnvFromSource struct {
	// prefix is put before each key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^=\x00]+$`
	Prefix string `json:"prefix,omitempty"`

	// secretRef is a Secret of the instance's namespace.
	// +optional
	SecretRef *ObjectReference `json:"secretRef,omitempty"`

	// configMapRef is a ConfigMap of the instance's namespace.
	// +optional
	ConfigMapRef *ObjectReference `json:"configMapRef,omitempty"`
}

// ObjectReference is an object in the instance's namespace.
type ObjectReference struct {
	// name is the object's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// optional says that the object may be absent.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// File is a file below the server's working directory.
//
// +kubebuilder:validation:ExactlyOneOf=secretKeyRef;configMapKeyRef
type File struct {
	// path is the file's path, relative to the server's working directory and below it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^/\x00][^\x00]*$`
	// +kubebuilder:validation:XValidation:rule="!self.split('/').exists(part, part == '..' || part == '.' || part == '')",message="path must be relative and must not have empty parts, '.' or '..'"
	Path string `json:"path,omitempty"`

	// secretKeyRef is a key of a Secret.
	// +optional
	SecretKeyRef *KeyReference `json:"secretKeyRef,omitempty"`

	// configMapKeyRef is a key of a ConfigMap.
	// +optional
	ConfigMapKeyRef *KeyReference `json:"configMapKeyRef,omitempty"`
}

// Protocol is the transport of a listener.
// +kubebuilder:validation:Enum=TCP;UDP
type Protocol string

// Port is a listener of the server.
type Port struct {
	// name names the listener in status.endpoints. "api" is the server's own.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self != 'api'",message="name must not be api: that is the server's own listener, see spec.config.port"
	Name string `json:"name,omitempty"`

	// port is the listener's port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// component is the id of the component that listens. Absent: of none in particular.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Component string `json:"component,omitempty"`

	// protocol is TCP (default) or UDP.
	// +optional
	Protocol Protocol `json:"protocol,omitempty"`
}

// DeadComponentPolicy is what is done about a component that is dead although it shows Running.
// +kubebuilder:validation:Enum=Report;RestartComponent;RestartServer
type DeadComponentPolicy string

// Health says what is done about components that are dead.
type Health struct {
	// onDeadComponent is RestartComponent (default), Report or RestartServer.
	// +required
	OnDeadComponent DeadComponentPolicy `json:"onDeadComponent,omitempty"`
}

// Resources bound what the server may use.
// +kubebuilder:validation:MinProperties=1
type Resources struct {
	// limits are what the server may use at most.
	// +optional
	Limits *ResourceAmounts `json:"limits,omitempty"`

	// requests are what the cluster's scheduler sets aside, on AKS only.
	// +optional
	Requests *ResourceAmounts `json:"requests,omitempty"`
}

// ResourceAmounts are amounts of what a server uses.
// +kubebuilder:validation:MinProperties=1
type ResourceAmounts struct {
	// cpu is the time of processors, for instance 500m or 2; at least 10m.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory is main memory, for instance 512Mi; at least 16Mi.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// StorageType says whether data outlives the instance's runtime.
// +kubebuilder:validation:Enum=Ephemeral;Persistent
type StorageType string

const (
	// StorageEphemeral goes with the instance. It is the default.
	StorageEphemeral StorageType = "Ephemeral"
	// StoragePersistent may outlive it.
	StoragePersistent StorageType = "Persistent"
)

// StorageOnDelete says what becomes of data when the instance is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type StorageOnDelete string

// Storage says what becomes of the server's data.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Persistent' || !(has(self.size) || has(self.storageClassName) || has(self.existingClaim))",message="size, storageClassName and existingClaim must not be set unless type is Persistent"
// +kubebuilder:validation:XValidation:rule="!(has(self.existingClaim) && (has(self.size) || has(self.storageClassName)))",message="size and storageClassName must not be set beside existingClaim"
type Storage struct {
	// type is Ephemeral or Persistent.
	// +required
	Type StorageType `json:"type,omitempty"`

	// size is the size of the claim on AKS.
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`

	// storageClassName is the class of the claim on AKS.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`

	// existingClaim is the name of a claim to use on AKS instead of a new one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ExistingClaim string `json:"existingClaim,omitempty"`

	// onDelete is Delete or Retain. Default: Retain where type is Persistent, else Delete.
	// +optional
	OnDelete StorageOnDelete `json:"onDelete,omitempty"`
}

// Placement says which hosts may carry the instance.
//
// +kubebuilder:validation:ExactlyOneOf=host;hostSelector
type Placement struct {
	// host is the name of the DrasiHost that must carry the instance.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// hostSelector selects hosts by their labels.
	// +optional
	HostSelector *metav1.LabelSelector `json:"hostSelector,omitempty"`
}

// UpdateStrategyType says how a change of the configuration reaches the server.
// +kubebuilder:validation:Enum=Restart;InPlace
type UpdateStrategyType string

const (
	// UpdateRestart restarts the server. It is the default.
	UpdateRestart UpdateStrategyType = "Restart"
	// UpdateInPlace changes the running server where that is possible.
	UpdateInPlace UpdateStrategyType = "InPlace"
)

// UpdateStrategy says how a change of the configuration reaches the server.
type UpdateStrategy struct {
	// type is Restart (default) or InPlace.
	// +required
	Type UpdateStrategyType `json:"type,omitempty"`
}

// ProcessOptions are what only the platform Process has. There is nothing to choose yet.
type ProcessOptions struct{}

// ImagePullPolicy says when an image is fetched.
// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
type ImagePullPolicy string

// DockerOptions are what only the platform Docker has.
// +kubebuilder:validation:MinProperties=1
type DockerOptions struct {
	// image overrides the image. Default: drasi-server's published image with spec.version as its tag.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// imagePullPolicy says when the image is fetched. Default: IfNotPresent.
	// +optional
	ImagePullPolicy ImagePullPolicy `json:"imagePullPolicy,omitempty"`

	// network is the engine's network that the container joins, where the host's administrator allows it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Network string `json:"network,omitempty"`
}

// AKSOptions are what only the platform AKS has.
// +kubebuilder:validation:MinProperties=1
type AKSOptions struct {
	// image overrides the image. Default: drasi-server's published image with spec.version as its tag.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// imagePullPolicy says when the image is fetched. Default: IfNotPresent.
	// +optional
	ImagePullPolicy ImagePullPolicy `json:"imagePullPolicy,omitempty"`

	// imagePullSecret is the name of a Secret with the credentials of the image's registry.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ImagePullSecret string `json:"imagePullSecret,omitempty"`

	// serviceAccountName is the ServiceAccount that the pod runs as.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// nodeSelector selects the nodes that may run the pod.
	// +optional
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`
}
