package plugin

import "fmt"

// Recorded lists the plugins that the recordings of the real server had.
func Recorded() []string {
	return []string{
		"source/mock", "source/http", "source/postgres", "source/grpc",
		"reaction/log", "reaction/sse", "reaction/http", "reaction/profiler", "reaction/grpc",
		"bootstrap/postgres", "bootstrap/scriptfile",
		"secret-store/file",
	}
}

// All lists every plugin of the contract sheet, sections 2.5 to 2.9.
func All() []string {
	refs := Recorded()
	add := func(category string, kinds ...string) {
		for _, kind := range kinds {
			refs = append(refs, category+"/"+kind)
		}
	}
	add("source", "mysql", "mssql", "kafka", "kubernetes", "platform", "sqlite", "neo4j", "oracle",
		"dataverse", "cloudflare-radar", "gtfs-rt", "here-traffic", "hyperliquid", "open511", "ris-live", "sui-deepbook")
	add("reaction", "platform", "dashboard", "mcp", "file", "rabbitmq", "loki", "aws-sqs", "azure-storage", "eventgrid",
		"storedproc-postgres", "storedproc-mysql", "storedproc-mssql")
	add("bootstrap", "platform", "http", "kafka", "kubernetes", "mysql", "mssql", "sqlite", "neo4j", "oracle",
		"dataverse", "cloudflare-radar", "gtfs-rt", "here-traffic", "hyperliquid", "open511", "ris-live", "sui-deepbook")
	add("secret-store", "keyring", "azure-keyvault")
	add("identity", "azure", "aws")
	return refs
}

// WriteSet puts stand-ins for the references into a directory that exists.
func WriteSet(dir string, refs []string) error {
	for _, ref := range refs {
		p, err := New(ref)
		if err != nil {
			return err
		}
		if err := p.Write(dir); err != nil {
			return fmt.Errorf("make %s: %w", ref, err)
		}
	}
	return nil
}
