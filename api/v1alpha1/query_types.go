package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// QueryLanguage is the language of a query's text.
// +kubebuilder:validation:Enum=Cypher;GQL
type QueryLanguage string

const (
	// QueryLanguageCypher is openCypher.
	QueryLanguageCypher QueryLanguage = "Cypher"
	// QueryLanguageGQL is ISO GQL, drasi-server's default.
	QueryLanguageGQL QueryLanguage = "GQL"
)

// QueryConfig is a continuous query (contract 2.6). Its values are plain: references to variables are not resolved in them.
//
// +kubebuilder:pruning:PreserveUnknownFields
type QueryConfig struct {
	// id names the query. Sources, queries and reactions share one set of ids.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	ID string `json:"id,omitempty"`

	// query is the query's text.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^[^\x00]*$`
	Query string `json:"query,omitempty"`

	// queryLanguage is Cypher or GQL. Default: GQL.
	// +optional
	QueryLanguage QueryLanguage `json:"queryLanguage,omitempty"`

	// autoStart starts the query with the server. Default: true (drasi-server's own default is false).
	// +optional
	AutoStart *bool `json:"autoStart,omitempty"`

	// sources are the sources that feed the query.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Sources []QuerySource `json:"sources,omitempty"`

	// middleware are transformations of changes on their way to the query.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Middleware []QueryMiddleware `json:"middleware,omitempty"`

	// joins connect nodes of different sources.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Joins []QueryJoin `json:"joins,omitempty"`

	// enableBootstrap loads initial data at the query's start. Default: true.
	// +optional
	EnableBootstrap *bool `json:"enableBootstrap,omitempty"`

	// bootstrapBufferSize is how many changes are held while initial data is loaded. Default: 10000.
	// +optional
	// +kubebuilder:validation:Minimum=0
	BootstrapBufferSize *int64 `json:"bootstrapBufferSize,omitempty"`

	// bootstrapTimeoutSecs is how long loading initial data may take, in seconds. Default: 300.
	// +optional
	// +kubebuilder:validation:Minimum=0
	BootstrapTimeoutSecs *int64 `json:"bootstrapTimeoutSecs,omitempty"`

	// priorityQueueCapacity is how many changes the query may hold. Default: defaultPriorityQueueCapacity.
	// +optional
	// +kubebuilder:validation:Minimum=0
	PriorityQueueCapacity *int64 `json:"priorityQueueCapacity,omitempty"`

	// dispatchBufferCapacity is how many results the query may hold for reactions. Default: defaultDispatchBufferCapacity.
	// +optional
	// +kubebuilder:validation:Minimum=0
	DispatchBufferCapacity *int64 `json:"dispatchBufferCapacity,omitempty"`

	// dispatchMode is how results reach reactions: Channel.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	DispatchMode string `json:"dispatchMode,omitempty"`

	// storageBackend is where the query keeps its index: the name of a backend, or an object with a kind.
	// +optional
	StorageBackend *apiextensionsv1.JSON `json:"storageBackend,omitempty"`

	// outboxCapacity is how many results are kept for reactions that come back. Default: 1000.
	// +optional
	// +kubebuilder:validation:Minimum=0
	OutboxCapacity *int64 `json:"outboxCapacity,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// QuerySource connects a query with a source.
//
// +kubebuilder:pruning:PreserveUnknownFields
type QuerySource struct {
	// sourceId is the id of the source.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	SourceID string `json:"sourceId,omitempty"`

	// nodes are the labels of nodes to take. Absent: those that the query names.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=1024
	Nodes []string `json:"nodes,omitempty"`

	// relations are the labels of relations to take. Absent: those that the query names.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=1024
	Relations []string `json:"relations,omitempty"`

	// pipeline are the names of the middleware that changes pass through, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	Pipeline []string `json:"pipeline,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// QueryMiddleware is a transformation of changes.
//
// +kubebuilder:pruning:PreserveUnknownFields
type QueryMiddleware struct {
	// kind is the kind of transformation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind,omitempty"`

	// name names it for pipelines.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`

	// config is the transformation's own configuration.
	// +optional
	Config *apiextensionsv1.JSON `json:"config,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// QueryJoin connects nodes that have a value in common.
//
// +kubebuilder:pruning:PreserveUnknownFields
type QueryJoin struct {
	// id is the label of the relation that the join makes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ID string `json:"id,omitempty"`

	// keys are the properties to compare.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Keys []QueryJoinKey `json:"keys,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}

// QueryJoinKey is one side of a join.
//
// +kubebuilder:pruning:PreserveUnknownFields
type QueryJoinKey struct {
	// label is the label of the node.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Label string `json:"label,omitempty"`

	// property is the name of the property.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Property string `json:"property,omitempty"`

	// Extra holds the other keys.
	Extra Extra `json:"-"`
}
