package drasi

// reactionKinds are the known keys of reactions (2.7, and the plugins' own schemas).
var reactionKinds = map[string]keyTypes{
	"log": templateKeys,
	"sse": joined(templateKeys, keyTypes{
		"host": textType, "port": portType, "ssePath": textType, "heartbeatIntervalMs": u64Type,
		"defaultTemplate.added.path": textPlain, "defaultTemplate.updated.path": textPlain, "defaultTemplate.deleted.path": textPlain,
		"routes.*.added.path": textPlain, "routes.*.updated.path": textPlain, "routes.*.deleted.path": textPlain,
	}),
	"http": {
		"baseUrl": textType, "token": textType, "timeoutMs": u64Type, "priorityQueueCapacity": u64Type, "batchEndpoint": textType,
		"recoveryPolicy": textPlain, "adaptive.adaptiveMinBatchSize": u64Type, "adaptive.adaptiveMaxBatchSize": u64Type,
		"adaptive.adaptiveWindowSize": u64Type, "adaptive.adaptiveBatchTimeoutMs": u64Type,
	},
	"grpc": {
		"endpoint": textType, "timeoutMs": u64Type, "maxRetries": u32Type, "connectionRetryAttempts": u32Type,
		"initialConnectionTimeoutMs": u64Type, "metadata.*": textType, "outputFormat": textPlain, "recoveryPolicy": textPlain,
		"batching.mode": textPlain, "batching.batchSize": u64Type, "batching.batchFlushTimeoutMs": u64Type,
		"batching.adaptiveMinBatchSize": u64Type, "batching.adaptiveMaxBatchSize": u64Type, "batching.adaptiveWindowSize": u64Type,
		"batching.adaptiveBatchTimeoutMs": u64Type,
	},
	"profiler": {"windowSize": u64Type, "reportIntervalSecs": u64Type},
	"platform": {
		"redisUrl": textType, "pubsubName": textType, "sourceName": textType, "maxStreamLength": u64Type, "emitControlEvents": boolType,
		"batchEnabled": boolType, "batchMaxSize": u64Type, "batchMaxWaitMs": u64Type,
	},
	"dashboard": {
		"host": textType, "port": portType, "heartbeatIntervalMs": u64Type, "resultsApiUrl": textType, "priorityQueueCapacity": u64Type,
	},
	"mcp":  {"host": textType, "port": portType, "bearerToken": textType, "maxSessions": u64Plain, "sessionChannelCapacity": u64Plain},
	"file": joined(templateKeys, keyTypes{"outputPath": textType, "writeMode": textPlain, "filenameTemplate": textType}),
	"rabbitmq": {
		"connectionString": textType, "exchangeName": textType, "exchangeType": textType, "exchangeDurable": boolType,
		"messagePersistent": boolType, "tlsEnabled": boolType, "tlsCertPath": textType, "tlsPfxPath": textType,
	},
	"loki": joined(templateKeys, keyTypes{
		"endpoint": textType, "labels.*": textPlain, "tenantId": textType, "token": textType, "timeoutMs": u64Type,
		"basicAuth.username": textType, "basicAuth.password": textType,
	}),
	"aws-sqs": {
		"queueUrl": textType, "region": textType, "endpointUrl": textType, "fifoQueue": boolType, "messageGroupIdTemplate": textType,
		"accessKeyId": textType, "secretAccessKey": textType,
	},
	"azure-storage": {
		"accountName": textType, "accessKey": textType, "blobEndpoint": textType, "queueEndpoint": textType, "tableEndpoint": textType,
	},
	"eventgrid":           {"endpoint": textType},
	"storedproc-postgres": storedProcKeys,
	"storedproc-mysql":    storedProcKeys,
	"storedproc-mssql":    storedProcKeys,
}

// templateKeys are those of reactions that write a text for each change.
var templateKeys = keyTypes{
	"defaultTemplate.added.template": textPlain, "defaultTemplate.updated.template": textPlain, "defaultTemplate.deleted.template": textPlain,
	"routes.*.added.template": textPlain, "routes.*.updated.template": textPlain, "routes.*.deleted.template": textPlain,
}

var storedProcKeys = joined(templateKeys, keyTypes{
	"hostname": textType, "port": portType, "user": textType, "password": textType, "database": textType, "ssl": boolType,
	"commandTimeoutMs": u64Type, "retryAttempts": u32Type,
})
