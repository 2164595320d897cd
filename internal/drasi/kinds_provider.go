package drasi

// bootstrapKinds are the known keys of bootstrap providers (2.8).
var bootstrapKinds = map[string]keyTypes{
	"postgres": postgresKeys,
}

// identityKinds are the known keys of identity providers (2.9).
var identityKinds = map[string]keyTypes{
	"password": {"username": textType, "password": textType},
}
