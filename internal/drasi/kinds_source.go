package drasi

import "maps"

// sourceKeys are the known keys of a kind of source (2.5, and the plugins' own schemas).
func sourceKeys(kind string) keyTypes {
	switch kind {
	case "mock":
		return keyTypes{"dataType.type": textPlain, "dataType.sensorCount": u32Plain, "intervalMs": u64Type}
	case "http":
		return joined(durabilityKeys(), httpSourceKeys(), webhookKeys())
	case "grpc":
		return joined(durabilityKeys(), keyTypes{"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type})
	case "postgres":
		return postgresKeys()
	case "mysql":
		return joined(mysqlKeys(), keyTypes{"startPosition": anyType, "serverId": u32Type, "heartbeatIntervalSeconds": u64Type})
	case "mssql":
		return joined(mssqlKeys(), keyTypes{"pollIntervalMs": u64Type, "startPosition": textType})
	case "oracle":
		return oracleKeys()
	case "neo4j":
		return neo4jKeys()
	case "sqlite":
		return sqliteKeys()
	case "kafka":
		return keyTypes{
			"bootstrapServers": textType, "topic": textType, "groupId": textType, "nodeLabel": textType, "securityProtocol": textType,
			"saslMechanism": textType, "saslUsername": textType, "saslPassword": textType, "autoOffsetReset": textType,
			"additionalProperties.*": textPlain,
		}
	case "kubernetes":
		return keyTypes{
			"resources[].apiVersion": textPlain, "resources[].kind": textPlain, "namespaces[]": textPlain, "labelSelector": textPlain,
			"fieldSelector": textPlain, "authMode": textPlain, "kubeconfigPath": textPlain, "kubeconfigContent": textPlain,
			"includeOwnerRelations": boolPlain, "excludeAnnotations[]": textPlain,
		}
	case "platform":
		return keyTypes{
			"redisUrl": textType, "streamKey": textType, "consumerGroup": textType, "consumerName": textType, "batchSize": u64Type,
			"blockMs": u64Type,
		}
	default:
		return nil
	}
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
func tableKeys() keyTypes {
	return keyTypes{"tables[]": textPlain, "tableKeys[].table": textPlain, "tableKeys[].keyColumns[]": textPlain}
}

// The keys of databases, of the source and of its bootstrap provider.

func postgresKeys() keyTypes {
	return joined(tableKeys(), keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "sslMode": textType,
		"slotName": textPlain, "publicationName": textPlain,
	})
}

func mysqlKeys() keyTypes {
	return joined(tableKeys(), keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "sslMode": textType,
	})
}

func mssqlKeys() keyTypes {
	return joined(tableKeys(), keyTypes{
		"host": textType, "port": portType, "database": textType, "user": textType, "password": textType, "authMode": textType,
		"encryption": onOffType, "trustServerCertificate": boolType,
	})
}

func oracleKeys() keyTypes {
	return joined(tableKeys(), keyTypes{
		"host": textType, "port": portType, "service": textType, "user": textType, "password": textType, "sslMode": textType,
		"pollIntervalMs": u64Type, "startPosition": textType,
	})
}

func neo4jKeys() keyTypes {
	return keyTypes{
		"uri": textType, "user": textType, "password": textType, "database": textType, "labels[]": textPlain, "relTypes[]": textPlain,
		"pollIntervalMs": u64Plain,
	}
}

func sqliteKeys() keyTypes {
	return joined(tableKeys(), keyTypes{"path": textType, "restApi.host": textType, "restApi.port": portType})
}

// durabilityKeys are those of sources with a write-ahead log. They alone are in snake case.
func durabilityKeys() keyTypes {
	return keyTypes{
		"durability.enabled": boolPlain, "durability.max_events": u64Plain, "durability.capacity_policy": textPlain,
	}
}

func httpSourceKeys() keyTypes {
	return keyTypes{
		"host": textType, "port": portType, "endpoint": textType, "timeoutMs": u64Type, "adaptiveEnabled": boolType,
		"adaptiveMinBatchSize": u64Type, "adaptiveMaxBatchSize": u64Type, "adaptiveMinWaitMs": u64Type, "adaptiveMaxWaitMs": u64Type,
		"adaptiveWindowSecs": u64Type,
	}
}

// webhookKeys are those of an http source's webhooks.
func webhookKeys() keyTypes {
	return keyTypes{
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
}
