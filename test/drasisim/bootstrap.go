package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// bootstrapper delivers a query's first data.
type bootstrapper interface {
	// run gives how many events it sent.
	run() (int, error)
}

// connectTimeout bounds an attempt at a database, as the kernel would.
const connectTimeout = 130 * time.Second

func newBootstrapper(kind, sourceKind string, resolved map[string]any) bootstrapper {
	switch {
	case kind == "postgres":
		return databaseBootstrap{address: databaseAddress(resolved)}
	case kind == "scriptfile":
		return scriptBootstrap{files: texts(resolved["filePaths"])}
	case kind == "" && sourceKind == "mock":
		return mockBootstrap{}
	}
	return nil
}

// explicit tells whether a source was given a provider.
func explicit(b bootstrapper) bool {
	_, own := b.(mockBootstrap)
	return b != nil && !own
}

type mockBootstrap struct{}

func (mockBootstrap) run() (int, error) { return 10, nil }

// databaseBootstrap needs somebody who listens; the simulator speaks no
// database protocol.
type databaseBootstrap struct{ address string }

func (b databaseBootstrap) run() (int, error) {
	if err := connect(b.address); err != nil {
		return 0, failf("error connecting to server: %v", err)
	}
	return 0, nil
}

func databaseAddress(resolved map[string]any) string {
	host, port := "localhost", uint64(5432)
	if given, ok := resolved["host"].(string); ok {
		host = given
	}
	if given, ok := resolved["port"].(uint64); ok {
		port = given
	}
	return net.JoinHostPort(host, strconv.FormatUint(port, 10))
}

func connect(address string) error {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(context.Background(), "tcp", address)
	if err == nil {
		return conn.Close()
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return failure("failed to lookup address information: Name or service not known")
	}
	return osError(err)
}

// scriptBootstrap wants a header as the first record of its first file.
type scriptBootstrap struct{ files []string }

func (b scriptBootstrap) run() (int, error) {
	records := 0
	for _, path := range b.files {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			var record struct {
				Kind string `json:"kind"`
			}
			if err := json.Unmarshal(lines.Bytes(), &record); err != nil || records == 0 && record.Kind != "Header" {
				return 0, errors.Join(headerMissing(fmt.Sprintf("Some(%q)", record.Kind)), file.Close())
			}
			records++
		}
		if err := file.Close(); err != nil {
			return 0, osError(err)
		}
	}
	if records == 0 {
		return 0, headerMissing("None")
	}
	return records - 1, nil
}

func headerMissing(found string) error {
	return failf("Failed to create script reader: Script is missing Header record: %s", found)
}

func texts(raw any) []string {
	list, _ := raw.([]any)
	var out []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
