package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
)

// storageKey names an instance's folder below ./data (contract 1.5).
func storageKey(id string) string { return "id-" + hex.EncodeToString([]byte(id)) }

// createState opens the state store, whose folder must be there.
func createState(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return failf("Storage error: Failed to create/open redb database at %q: I/O error: %v", path, osError(err))
	}
	return file.Close()
}

// createLog opens the write-ahead log of a durable source.
func createLog(key, source string) error {
	dir := filepath.Join("data", key, "wal")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return osError(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, source+".redb"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return osError(err)
	}
	return file.Close()
}

// createIndex opens the persistent index of a query.
func createIndex(key, query string) error {
	dir := filepath.Join("data", key, "index", query)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return osError(err)
	}
	return os.WriteFile(filepath.Join(dir, "CURRENT"), []byte("MANIFEST-000001\n"), 0o644)
}

// openSecretFile reads the flat JSON object of a file secret store once.
func openSecretFile(path string) (secrets, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failf("Failed to read secrets file '%s': %v", path, osError(err))
	}
	var entries map[string]string
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, failf("Failed to parse secrets file '%s': %v", path, err)
	}
	return func(name string) (string, error) {
		val, ok := entries[name]
		if !ok {
			return "", failf("Secret '%s' not found in file secret store", name)
		}
		return val, nil
	}, nil
}
