package drasi

// reactionKeys are the known keys of a kind of reaction (2.7, and the plugins' own schemas).
func reactionKeys(kind string) keyTypes {
	switch kind {
	case "log":
		return templateKeys()
	case "sse":
		return joined(templateKeys(), keyTypes{
			"host": textType, "port": portType, "ssePath": textType, "heartbeatIntervalMs": u64Type,
			"defaultTemplate.added.path": textPlain, "defaultTemplate.updated.path": textPlain, "defaultTemplate.deleted.path": textPlain,
			"routes.*.added.path": textPlain, "routes.*.updated.path": textPlain, "routes.*.deleted.path": textPlain,
		})
	case "http":
		return keyTypes{
			"baseUrl": textType, "token": textType, "timeoutMs": u64Type, "priorityQueueCapacity": u64Type, "batchEndpoint": textType,
			"recoveryPolicy": textPlain, "adaptive.adaptiveMinBatchSize": u64Type, "adaptive.adaptiveMaxBatchSize": u64Type,
			"adaptive.adaptiveWindowSize": u64Type, "adaptive.adaptiveBatchTimeoutMs": u64Type,
		}
	case "grpc":
		return keyTypes{
			"endpoint": textType, "timeoutMs": u64Type, "maxRetries": u32Type, "connectionRetryAttempts": u32Type,
			"initialConnectionTimeoutMs": u64Type, "metadata.*": textType, "outputFormat": textPlain, "recoveryPolicy": textPlain,
			"batching.mode": textPlain, "batching.batchSize": u64Type, "batching.batchFlushTimeoutMs": u64Type,
			"batching.adaptiveMinBatchSize": u64Type, "batching.adaptiveMaxBatchSize": u64Type, "batching.adaptiveWindowSize": u64Type,
			"batching.adaptiveBatchTimeoutMs": u64Type,
		}
	case "profiler":
		return keyTypes{"windowSize": u64Type, "reportIntervalSecs": u64Type}
	case "dashboard":
		return keyTypes{
			"host": textType, "port": portType, "heartbeatIntervalMs": u64Type, "resultsApiUrl": textType, "priorityQueueCapacity": u64Type,
		}
	case "mcp":
		return keyTypes{"host": textType, "port": portType, "bearerToken": textType, "maxSessions": u64Plain, "sessionChannelCapacity": u64Plain}
	case "file":
		return joined(templateKeys(), keyTypes{"outputPath": textType, "writeMode": textPlain, "filenameTemplate": textType})
	case "loki":
		return joined(templateKeys(), keyTypes{
			"endpoint": textType, "labels.*": textPlain, "tenantId": textType, "token": textType, "timeoutMs": u64Type,
			"basicAuth.username": textType, "basicAuth.password": textType,
		})
	default:
		return serviceReactionKeys(kind)
	}
}

// templateKeys are those of reactions that write a text for each change.
func templateKeys() keyTypes {
	return keyTypes{
		"defaultTemplate.added.template": textPlain, "defaultTemplate.updated.template": textPlain, "defaultTemplate.deleted.template": textPlain,
		"routes.*.added.template": textPlain, "routes.*.updated.template": textPlain, "routes.*.deleted.template": textPlain,
	}
}
