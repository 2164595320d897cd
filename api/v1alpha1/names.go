package v1alpha1

// Names that other programs may rely on: they change only with the API version.
const (
	// FinalizerRuntime holds a DrasiInstance until the host or the controller has proven that nothing of its runtime is left.
	FinalizerRuntime = "draas.io/runtime"

	// AnnotationPaused, on a DrasiInstance and with whatever value, asks that nothing of it be touched while its status is still reported.
	AnnotationPaused = "draas.io/paused"

	// AnnotationReap, on a DrasiHost, is a person's leave to stop the orphans that the condition OrphansHeld names: its value is the number in that
	// condition's message, which stands for these orphans and no others.
	AnnotationReap = "draas.io/reap"

	// NamespaceAgents holds the hosts' Leases and the Secrets delivered to hosts.
	NamespaceAgents = "draas-agents"

	// FieldOwnerController is the field manager of the controller's writes.
	FieldOwnerController = "draas-controller"

	// FieldOwnerAgent is the field manager of an agent's writes.
	FieldOwnerAgent = "draas-agent"

	// MaxInstanceNameLength is the longest name of a DrasiInstance, in characters: names derived from it stay within 63.
	MaxInstanceNameLength = 52
)

// Paths by which the API server selects objects (selectableFields).
const (
	// FieldStatusHost selects the DrasiInstances of one host.
	FieldStatusHost = "status.host"
	// FieldSpecPlatform selects the DrasiInstances of one platform.
	FieldSpecPlatform = "spec.platform"
)
