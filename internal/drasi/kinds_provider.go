package drasi

// bootstrapKeys are the known keys of a kind of bootstrap provider (2.8). One of the same kind as its source takes what it lacks from it.
func bootstrapKeys(kind string) keyTypes {
	switch kind {
	case "postgres":
		return postgresKeys()
	case "mysql":
		return mysqlKeys()
	case "mssql":
		return mssqlKeys()
	case "scriptfile":
		return keyTypes{"filePaths[]": textPlain}
	case "platform":
		return keyTypes{"queryApiUrl": textType, "timeoutSeconds": u64Type}
	case "http":
		return keyTypes{
			"timeoutSeconds": u64Type, "maxRetries": u32Type, "retryDelayMs": u64Type, "endpoints[].url": textType,
			"endpoints[].method": textPlain, "endpoints[].headers.*": textType,
			"endpoints[].auth.token_env": variableType, "endpoints[].auth.value_env": variableType, "endpoints[].auth.username_env": variableType,
			"endpoints[].auth.password_env": variableType, "endpoints[].auth.client_id_env": variableType,
			"endpoints[].auth.client_secret_env": variableType, "endpoints[].auth.token_url": textType,
		}
	default:
		return nil
	}
}

// identityKeys are the known keys of a kind of identity provider (2.9). Those of plugins take no references.
func identityKeys(kind string) keyTypes {
	switch kind {
	case "password":
		return keyTypes{"username": textType, "password": textType}
	case "azure":
		return keyTypes{"identityName": textPlain, "authMethod": textPlain, "clientId": textPlain, "scope": textPlain}
	case "aws":
		return keyTypes{"username": textPlain, "region": textPlain, "roleArn": textPlain, "sessionName": textPlain}
	default:
		return nil
	}
}
