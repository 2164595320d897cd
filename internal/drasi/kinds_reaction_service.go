package drasi

// serviceReactionKeys are the known keys of reactions that hand changes to a database, a queue or a store.
func serviceReactionKeys(kind string) keyTypes {
	switch kind {
	case "platform":
		return keyTypes{
			"redisUrl": textType, "pubsubName": textType, "sourceName": textType, "maxStreamLength": u64Type, "emitControlEvents": boolType,
			"batchEnabled": boolType, "batchMaxSize": u64Type, "batchMaxWaitMs": u64Type,
		}
	case "rabbitmq":
		return keyTypes{
			"connectionString": textType, "exchangeName": textType, "exchangeType": textType, "exchangeDurable": boolType,
			"messagePersistent": boolType, "tlsEnabled": boolType, "tlsCertPath": textType, "tlsPfxPath": textType,
		}
	case "aws-sqs":
		return keyTypes{
			"queueUrl": textType, "region": textType, "endpointUrl": textType, "fifoQueue": boolType, "messageGroupIdTemplate": textType,
			"accessKeyId": textType, "secretAccessKey": textType,
		}
	case "azure-storage":
		return keyTypes{
			"accountName": textType, "accessKey": textType, "blobEndpoint": textType, "queueEndpoint": textType, "tableEndpoint": textType,
		}
	case "eventgrid":
		return keyTypes{"endpoint": textType}
	case "storedproc-postgres":
		return storedProcKeys()
	case "storedproc-mysql":
		return storedProcKeys()
	case "storedproc-mssql":
		return storedProcKeys()
	default:
		return nil
	}
}

func storedProcKeys() keyTypes {
	return joined(templateKeys(), keyTypes{
		"hostname": textType, "port": portType, "user": textType, "password": textType, "database": textType, "ssl": boolType,
		"commandTimeoutMs": u64Type, "retryAttempts": u32Type,
	})
}
