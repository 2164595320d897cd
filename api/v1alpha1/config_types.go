package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// ServerConfig is drasi-server's own configuration (contract 2.2), pasted as it is. Keys that this API does not name pass through unchanged.
//
// +kubebuilder:pruning:PreserveUnknownFields
// +kubebuilder:validation:XValidation:rule="!has(self.instances) || self.instances.size() <= 1",message="instances must have at most one entry: write one DrasiInstance for each"
type ServerConfig struct {
	// apiVersion is drasi-server's mark of the dialect, for instance drasi.io/v1. It has no effect.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`

	// id is the server's instance id. Data paths hang on it, so it cannot be changed. Default: the name of the object.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// host is accepted and ignored: spec.expose says where the server listens.
	// +optional
	Host Value `json:"host,omitzero"`

	// port is the port of the server's API. On Process it is a wish: used when nothing else on the host has it.
	// +optional
	Port Value `json:"port,omitzero"`

	// logLevel is trace, debug, info (default), warn or error.
	// +optional
	LogLevel Value `json:"logLevel,omitzero"`

	// persistConfig is accepted and ignored: the object is the configuration's only source.
	// +optional
	PersistConfig *bool `json:"persistConfig,omitempty"`

	// persistIndex keeps the indexes of queries on disk. Default: false.
	// +optional
	PersistIndex *bool `json:"persistIndex,omitempty"`

	// enableArchive keeps past values for queries that ask for them. Default: false.
	// +optional
	EnableArchive *bool `json:"enableArchive,omitempty"`

	// enableUi serves the web UI. Default: false (drasi-server's own default is true).
	// +optional
	EnableUI *bool `json:"enableUi,omitempty"`

	// solutionsDir is the folder of solution templates.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	SolutionsDir string `json:"solutionsDir,omitempty"`

	// stateStore keeps the state of components on disk.
	// +optional
	StateStore *StateStore `json:"stateStore,omitempty"`

	// secretStore is where references of the form {kind: Secret} are looked up.
	// +optional
	SecretStore *SecretStore `json:"secretStore,omitempty"`

	// defaultPriorityQueueCapacity is the default of queries. Default: 10000.
	// +optional
	DefaultPriorityQueueCapacity Value `json:"defaultPriorityQueueCapacity,omitzero"`

	// defaultDispatchBufferCapacity is the default of queries. Default: 1000.
	// +optional
	DefaultDispatchBufferCapacity Value `json:"defaultDispatchBufferCapacity,omitzero"`

	// pluginRegistry is accepted and ignored: which registry may be used is the host administrator's to say.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	PluginRegistry string `json:"pluginRegistry,omitempty"`

	// autoInstallPlugins is accepted and ignored: plugins are prepared before a start.
	// +optional
	AutoInstallPlugins *bool `json:"autoInstallPlugins,omitempty"`

	// plugins are references of plugins. Absent: derived from the kinds in use. A list must cover every kind in use.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Plugins []PluginReference `json:"plugins,omitempty"`

	// verifyPlugins is accepted and ignored: plugins are verified when they are prepared.
	// +optional
	VerifyPlugins *bool `json:"verifyPlugins,omitempty"`

	// trustedIdentities is accepted and ignored: whom to trust is the host administrator's to say.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	TrustedIdentities []TrustedIdentity `json:"trustedIdentities,omitempty"`

	// hotReloadPlugins is accepted and ignored: a server's plugins do not change while it runs.
	// +optional
	HotReloadPlugins *bool `json:"hotReloadPlugins,omitempty"`

	// hotReloadDebounceMs is accepted and ignored.
	// +optional
	// +kubebuilder:validation:Minimum=0
	HotReloadDebounceMs *int64 `json:"hotReloadDebounceMs,omitempty"`

	// corsAllowedOrigins are the origins that browsers may call the API from. Absent: all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=4096
	CORSAllowedOrigins []string `json:"corsAllowedOrigins,omitempty"`

	// sources are where changes come from.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=256
	Sources []SourceConfig `json:"sources,omitempty"`

	// queries are the continuous queries over the sources.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=256
	Queries []QueryConfig `json:"queries,omitempty"`

	// reactions are where changes of the queries' results go.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=256
	Reactions []ReactionConfig `json:"reactions,omitempty"`

	// identityProviders are identities that sources and reactions name.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=256
	IdentityProviders []IdentityProvider `json:"identityProviders,omitempty"`

	// bootstrapProviders are providers of initial data that sources name.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=256
	BootstrapProviders []BootstrapProvider `json:"bootstrapProviders,omitempty"`

	// instances is drasi-server's layout for several instances. One entry is that instance; several are refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Instances []InlineInstance `json:"instances,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// InlineInstance is an entry of instances (contract 2.3): the same keys as at the top level, checked by the operator rather than by the schema.
//
// +kubebuilder:pruning:PreserveUnknownFields
type InlineInstance struct {
	// id is the server's instance id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// StateStore is a store of components' state.
//
// +kubebuilder:pruning:PreserveUnknownFields
type StateStore struct {
	// kind is the kind of store: redb.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`

	// path is the store's file, below the server's working directory.
	// +optional
	Path Value `json:"path,omitzero"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// SecretStore is a store of secrets; its keys depend on the kind.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SecretStore struct {
	// kind is the kind of store, for instance file.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// PluginReference names a plugin.
//
// +kubebuilder:pruning:PreserveUnknownFields
type PluginReference struct {
	// ref is the reference: category/kind, category/kind:version or a full OCI reference.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Ref string `json:"ref,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// TrustedIdentity is a signer of plugins.
//
// +kubebuilder:pruning:PreserveUnknownFields
type TrustedIdentity struct {
	// issuer is the OIDC issuer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Issuer string `json:"issuer,omitempty"`

	// subjectPattern is a pattern of the signer's subject.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SubjectPattern string `json:"subjectPattern,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// SourceConfig is a source (contract 2.5). Keys beyond the common ones are its plugin's.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SourceConfig struct {
	// kind is the kind of source, for instance postgres.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	Kind string `json:"kind,omitempty"`

	// id names the source. Sources, queries and reactions share one set of ids.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// autoStart starts the source with the server. Default: true.
	// +optional
	AutoStart *bool `json:"autoStart,omitempty"`

	// bootstrapProvider gives the initial data: the id of an entry of bootstrapProviders, or an inline provider with a kind.
	// +optional
	BootstrapProvider *apiextensionsv1.JSON `json:"bootstrapProvider,omitempty"`

	// identityProvider is the id of an entry of identityProviders.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	IdentityProvider string `json:"identityProvider,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// ReactionConfig is a reaction (contract 2.7). Keys beyond the common ones are its plugin's.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ReactionConfig struct {
	// kind is the kind of reaction, for instance sse.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	Kind string `json:"kind,omitempty"`

	// id names the reaction. Sources, queries and reactions share one set of ids.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// queries are the ids of the queries that the reaction follows.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Queries []string `json:"queries,omitempty"`

	// autoStart starts the reaction with the server. Default: true.
	// +optional
	AutoStart *bool `json:"autoStart,omitempty"`

	// identityProvider is the id of an entry of identityProviders.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	IdentityProvider string `json:"identityProvider,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// IdentityProvider is an identity that components name; its keys depend on the kind.
//
// +kubebuilder:pruning:PreserveUnknownFields
type IdentityProvider struct {
	// kind is the kind of provider, for instance password.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`

	// id names the provider.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// BootstrapProvider gives initial data; its keys depend on the kind.
//
// +kubebuilder:pruning:PreserveUnknownFields
type BootstrapProvider struct {
	// kind is the kind of provider, for instance scriptfile.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`

	// id names the provider.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}
