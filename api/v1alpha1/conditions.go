package v1alpha1

// Condition types of a DrasiInstance. Ready is the summary of the others; Reconciling and Stalled follow kstatus and exist only while true.
const (
	// ConditionReady is True when what the current generation asks for holds.
	ConditionReady = "Ready"
	// ConditionPlaced is True when a host carries the instance and meets what the current generation demands of a host.
	ConditionPlaced = "Placed"
	// ConditionConfigValid is True when the current generation passed validation; its message also says what is ignored.
	ConditionConfigValid = "ConfigValid"
	// ConditionConfigApplied is True when the runtime was started with the current generation's inputs.
	ConditionConfigApplied = "ConfigApplied"
	// ConditionLive is True while the server's process is alive and its own API is bound.
	ConditionLive = "Live"
	// ConditionComponentsReady is True while the loaded configuration is the one that was written and every component that should run does.
	ConditionComponentsReady = "ComponentsReady"
	// ConditionReleased is True when the host says that nothing of the instance is left on it.
	ConditionReleased = "Released"
	// ConditionReconciling is present and True while waiting may help (kstatus InProgress).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True when no waiting helps (kstatus Failed).
	ConditionStalled = "Stalled"
)

// Reasons of conditions without a fault.
const (
	// ReasonPending says that it is not known yet.
	ReasonPending = "Pending"
	// ReasonPlaced says that a host carries the instance.
	ReasonPlaced = "Placed"
	// ReasonValid says that the generation passed validation.
	ReasonValid = "Valid"
	// ReasonApplied says that what runs was started with the generation's inputs.
	ReasonApplied = "Applied"
	// ReasonReleased says that nothing of the instance is left.
	ReasonReleased = "Released"
	// ReasonRunning says that the server and its components run.
	ReasonRunning = "Running"
	// ReasonStopped says that the instance is stopped as asked.
	ReasonStopped = "Stopped"
	// ReasonStarting says that a start is under way.
	ReasonStarting = "Starting"
	// ReasonStopping says that a stop is under way.
	ReasonStopping = "Stopping"
)

// Reasons of Placed=False.
const (
	// ReasonNoHost says that no host is there that could take the instance.
	ReasonNoHost = "NoHost"
	// ReasonHostNotFound says that the pinned host does not exist.
	ReasonHostNotFound = "HostNotFound"
	// ReasonHostCordoned says that every host in question is unschedulable.
	ReasonHostCordoned = "HostCordoned"
	// ReasonNamespaceNotAdmitted says that the hosts in question take no instances of this namespace.
	ReasonNamespaceNotAdmitted = "NamespaceNotAdmitted"
	// ReasonVersionUnavailable says that the hosts in question do not have the version of drasi-server.
	ReasonVersionUnavailable = "VersionUnavailable"
	// ReasonPortConflict says that a component's listener has a port that is taken. It also appears on Live and ComponentsReady.
	ReasonPortConflict = "PortConflict"
	// ReasonCapacityExhausted says that the hosts in question carry as many instances as they may.
	ReasonCapacityExhausted = "CapacityExhausted"
)

// Reasons of ConfigValid=False.
const (
	// ReasonInvalidConfig says that validation, a query's text or the server itself refused the configuration. Stalled.
	ReasonInvalidConfig = "InvalidConfig"
	// ReasonNotSupported says that this release does not do what a field asks for. Stalled.
	ReasonNotSupported = "NotSupported"
	// ReasonEnvMissing says that a Secret, ConfigMap or key that the instance names is not there.
	ReasonEnvMissing = "EnvMissing"
)

// Reasons of ConfigApplied=False.
const (
	// ReasonPluginsMissing says that the host has no file for a plugin that the configuration needs.
	ReasonPluginsMissing = "PluginsMissing"
	// ReasonRehearsalFailed says that a rehearsal gave no verdict.
	ReasonRehearsalFailed = "RehearsalFailed"
	// ReasonRestartRequired says that the generation can be applied only by a restart that is held back.
	ReasonRestartRequired = "RestartRequired"
	// ReasonPaused says that something is held back by the annotation draas.io/paused.
	ReasonPaused = "Paused"
)

// Reasons of Live and ComponentsReady.
const (
	// ReasonStartupDeadlineExceeded says that a start lasts longer than spec.startupDeadlineSeconds. Nothing is killed for it.
	ReasonStartupDeadlineExceeded = "StartupDeadlineExceeded"
	// ReasonCrashLoopBackOff says that the server ended by itself and waits for its next start.
	ReasonCrashLoopBackOff = "CrashLoopBackOff"
	// ReasonOOMKilled says that the kernel killed the server for want of memory; the message says for whose.
	ReasonOOMKilled = "OOMKilled"
	// ReasonBootstrapFailed says that a query could not load its initial data.
	ReasonBootstrapFailed = "BootstrapFailed"
	// ReasonComponentError says that a component is in Error.
	ReasonComponentError = "ComponentError"
	// ReasonComponentFailing says that a component shows Running but its log says that it is dead.
	ReasonComponentFailing = "ComponentFailing"
	// ReasonHostLost says that the host's agent has not been heard of.
	ReasonHostLost = "HostLost"
)

// ConditionOrphansHeld is a condition of a DrasiHost, whose summary is Ready. It is present and True only while orphans, servers of the host whose
// DrasiInstance is gone, are not stopped because there are too many of them at once.
const ConditionOrphansHeld = "OrphansHeld"

// Reasons of a DrasiHost's conditions.
const (
	// ReasonAgentReady says that the agent serves its host.
	ReasonAgentReady = "AgentReady"
	// ReasonPlatformUnhealthy says that a platform of the host does not work.
	ReasonPlatformUnhealthy = "PlatformUnhealthy"
	// ReasonAllOrphaned says that every server of the host would be stopped as an orphan.
	ReasonAllOrphaned = "AllOrphaned"
	// ReasonManyOrphaned says that more servers would be stopped at once as orphans than the agent does by itself.
	ReasonManyOrphaned = "ManyOrphaned"
)
