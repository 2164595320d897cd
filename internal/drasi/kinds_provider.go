package drasi

// bootstrapKinds are the known keys of bootstrap providers (2.8). One of the same kind as its source takes what it lacks from it.
var bootstrapKinds = map[string]keyTypes{
	"postgres":   postgresKeys,
	"mysql":      mysqlKeys,
	"mssql":      mssqlKeys,
	"scriptfile": {"filePaths[]": textPlain},
	"platform":   {"queryApiUrl": textType, "timeoutSeconds": u64Type},
	"http": {
		"timeoutSeconds": u64Type, "maxRetries": u32Type, "retryDelayMs": u64Type, "endpoints[].url": textType,
		"endpoints[].method": textPlain, "endpoints[].headers.*": textType,
		"endpoints[].auth.token_env": variableType, "endpoints[].auth.value_env": variableType, "endpoints[].auth.username_env": variableType,
		"endpoints[].auth.password_env": variableType, "endpoints[].auth.client_id_env": variableType,
		"endpoints[].auth.client_secret_env": variableType, "endpoints[].auth.token_url": textType,
	},
}

// identityKinds are the known keys of identity providers (2.9). Those of plugins take no references.
var identityKinds = map[string]keyTypes{
	"password": {"username": textType, "password": textType},
	"azure":    {"identityName": textPlain, "authMethod": textPlain, "clientId": textPlain, "scope": textPlain},
	"aws":      {"username": textPlain, "region": textPlain, "roleArn": textPlain, "sessionName": textPlain},
}
