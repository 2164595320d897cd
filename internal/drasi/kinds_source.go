package drasi

// sourceKinds are the known keys of sources (2.5, and the plugins' own schemas).
var sourceKinds = map[string]keyTypes{
	"mock": {
		"dataType.type":        textPlain,
		"dataType.sensorCount": u64Plain,
		"intervalMs":           u64Type,
	},
	"http":     httpSource,
	"postgres": postgresKeys,
	"grpc": {
		"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type,
		"durability.enabled": boolPlain, "durability.max_events": u64Plain, "durability.capacity_policy": textPlain,
	},
}

// postgresKeys are those of the source and of its bootstrap provider.
var postgresKeys = keyTypes{
	"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "sslMode": wordType,
	"tables[]": textPlain, "slotName": textPlain, "publicationName": textPlain,
	"tableKeys[].table": textPlain, "tableKeys[].keyColumns[]": textPlain,
}

var httpSource = keyTypes{
	"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type,
	"adaptiveEnabled": boolType, "adaptiveMinBatchSize": u64Type, "adaptiveMaxBatchSize": u64Type, "adaptiveMinWaitMs": u64Type,
	"adaptiveMaxWaitMs": u64Type, "adaptiveWindowSecs": u64Type,
	"durability.enabled": boolPlain, "durability.max_events": u64Plain, "durability.capacity_policy": textPlain,
	"webhooks.errorBehavior": textPlain,
	"webhooks.cors.enabled":  boolPlain, "webhooks.cors.allowCredentials": boolPlain, "webhooks.cors.maxAge": u64Plain,
	"webhooks.cors.allowOrigins[]": textType, "webhooks.cors.allowMethods[]": textType, "webhooks.cors.allowHeaders[]": textType,
	"webhooks.cors.exposeHeaders[]": textType,
	"webhooks.routes[].path":        textType, "webhooks.routes[].methods[]": textPlain, "webhooks.routes[].errorBehavior": textPlain,
	"webhooks.routes[].auth.bearer.tokenEnv":     variableType,
	"webhooks.routes[].auth.signature.secretEnv": variableType, "webhooks.routes[].auth.signature.header": textType,
	"webhooks.routes[].auth.signature.prefix": textType, "webhooks.routes[].auth.signature.type": textPlain,
	"webhooks.routes[].auth.signature.encoding":         textPlain,
	"webhooks.routes[].mappings[].when.header":          textType,
	"webhooks.routes[].mappings[].when.field":           textType,
	"webhooks.routes[].mappings[].when.equals":          textType,
	"webhooks.routes[].mappings[].when.contains":        textType,
	"webhooks.routes[].mappings[].when.regex":           textType,
	"webhooks.routes[].mappings[].operation":            textPlain,
	"webhooks.routes[].mappings[].operationFrom":        textType,
	"webhooks.routes[].mappings[].operationMap.*":       textPlain,
	"webhooks.routes[].mappings[].elementType":          textPlain,
	"webhooks.routes[].mappings[].template.id":          textType,
	"webhooks.routes[].mappings[].template.from":        textType,
	"webhooks.routes[].mappings[].template.to":          textType,
	"webhooks.routes[].mappings[].template.labels[]":    textType,
	"webhooks.routes[].mappings[].effectiveFrom":        anyType,
	"webhooks.routes[].mappings[].effectiveFrom.value":  textType,
	"webhooks.routes[].mappings[].effectiveFrom.format": textPlain,
}
