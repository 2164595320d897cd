package drasi

import "maps"

// sourceKinds are the known keys of sources (2.5, and the plugins' own schemas).
var sourceKinds = map[string]keyTypes{
	"mock":     {"dataType.type": textPlain, "dataType.sensorCount": u32Plain, "intervalMs": u64Type},
	"http":     joined(durabilityKeys, httpSourceKeys, webhookKeys),
	"grpc":     joined(durabilityKeys, keyTypes{"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type}),
	"postgres": postgresKeys,
	"mysql":    joined(mysqlKeys, keyTypes{"startPosition": anyType, "serverId": u32Type, "heartbeatIntervalSeconds": u64Type}),
	"mssql":    joined(mssqlKeys, keyTypes{"pollIntervalMs": u64Type, "startPosition": textType}),
	"oracle":   oracleKeys,
	"neo4j":    neo4jKeys,
	"sqlite":   sqliteKeys,
	"kafka": {
		"bootstrapServers": textType, "topic": textType, "groupId": textType, "nodeLabel": textType, "securityProtocol": textType,
		"saslMechanism": textType, "saslUsername": textType, "saslPassword": textType, "autoOffsetReset": textType,
		"additionalProperties.*": textPlain,
	},
	"kubernetes": {
		"resources[].apiVersion": textPlain, "resources[].kind": textPlain, "namespaces[]": textPlain, "labelSelector": textPlain,
		"fieldSelector": textPlain, "authMode": textPlain, "kubeconfigPath": textPlain, "kubeconfigContent": textPlain,
		"includeOwnerRelations": boolPlain, "excludeAnnotations[]": textPlain,
	},
	"platform": {
		"redisUrl": textType, "streamKey": textType, "consumerGroup": textType, "consumerName": textType, "batchSize": u64Type,
		"blockMs": u64Type,
	},
}

// joined is one set of keys out of several.
func joined(sets ...keyTypes) keyTypes {
	out := keyTypes{}
	for _, set := range sets {
		maps.Copy(out, set)
	}
	return out
}

// tableKeys are those of sources that read tables.
var tableKeys = keyTypes{"tables[]": textPlain, "tableKeys[].table": textPlain, "tableKeys[].keyColumns[]": textPlain}

// The keys of databases, of the source and of its bootstrap provider.
var (
	postgresKeys = joined(tableKeys, keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "sslMode": textType,
		"slotName": textPlain, "publicationName": textPlain,
	})
	mysqlKeys = joined(tableKeys, keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "sslMode": textType,
	})
	mssqlKeys = joined(tableKeys, keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "authMode": textType,
		"encryption": onOffType, "trustServerCertificate": boolType,
	})
	oracleKeys = joined(tableKeys, keyTypes{
		"host": textType, "port": portType, "service": textType, "user": textType, "password": textType, "sslMode": textType,
		"pollIntervalMs": u64Type, "startPosition": textType,
	})
	neo4jKeys = keyTypes{
		"uri": textType, "user": textType, "password": textType, "database": textType, "labels[]": textPlain, "relTypes[]": textPlain,
		"pollIntervalMs": u64Plain,
	}
	sqliteKeys = joined(tableKeys, keyTypes{"path": textType, "restApi.host": textType, "restApi.port": portType})
)

// durabilityKeys are those of sources with a write-ahead log. They alone are in snake case.
var durabilityKeys = keyTypes{
	"durability.enabled": boolPlain, "durability.max_events": u64Plain, "durability.capacity_policy": textPlain,
}

var httpSourceKeys = keyTypes{
	"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type, "adaptiveEnabled": boolType,
	"adaptiveMinBatchSize": u64Type, "adaptiveMaxBatchSize": u64Type, "adaptiveMinWaitMs": u64Type, "adaptiveMaxWaitMs": u64Type,
	"adaptiveWindowSecs": u64Type,
}

// webhookKeys are those of an http source's webhooks.
var webhookKeys = keyTypes{
	"webhooks.errorBehavior":         textPlain,
	"webhooks.cors.enabled":          boolPlain,
	"webhooks.cors.allowCredentials": boolPlain,
	"webhooks.cors.maxAge":           u64Plain,
	"webhooks.cors.allowOrigins[]":   textType,
	"webhooks.cors.allowMethods[]":   textType,
	"webhooks.cors.allowHeaders[]":   textType,
	"webhooks.cors.exposeHeaders[]":  textType,

	"webhooks.routes[].path":                      textType,
	"webhooks.routes[].methods[]":                 textPlain,
	"webhooks.routes[].errorBehavior":             textPlain,
	"webhooks.routes[].auth.bearer.tokenEnv":      variableType,
	"webhooks.routes[].auth.signature.secretEnv":  variableType,
	"webhooks.routes[].auth.signature.header":     textType,
	"webhooks.routes[].auth.signature.prefix":     textType,
	"webhooks.routes[].auth.signature.type":       textPlain,
	"webhooks.routes[].auth.signature.encoding":   textPlain,
	"webhooks.routes[].mappings[].when.header":    textType,
	"webhooks.routes[].mappings[].when.field":     textType,
	"webhooks.routes[].mappings[].when.equals":    textType,
	"webhooks.routes[].mappings[].when.contains":  textType,
	"webhooks.routes[].mappings[].when.regex":     textType,
	"webhooks.routes[].mappings[].operation":      textPlain,
	"webhooks.routes[].mappings[].operationFrom":  textType,
	"webhooks.routes[].mappings[].operationMap.*": textPlain,
	"webhooks.routes[].mappings[].elementType":    textPlain,

	"webhooks.routes[].mappings[].template.id":          textType,
	"webhooks.routes[].mappings[].template.from":        textType,
	"webhooks.routes[].mappings[].template.to":          textType,
	"webhooks.routes[].mappings[].template.labels[]":    textType,
	"webhooks.routes[].mappings[].effectiveFrom":        anyType,
	"webhooks.routes[].mappings[].effectiveFrom.value":  textType,
	"webhooks.routes[].mappings[].effectiveFrom.format": textPlain,
}
