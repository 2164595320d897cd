package drasi

// reactionKinds are the known keys of reactions (2.7, and the plugins' own schemas).
var reactionKinds = map[string]keyTypes{
	"sse": {"host": textType, "port": portType, "ssePath": textType, "heartbeatIntervalMs": u64Type},
}
