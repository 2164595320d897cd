package drasi

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Snapshot is what an instance has loaded (4.4). Of the components' configurations only what is compared is read: they may hold secrets.
type Snapshot struct {
	InstanceID string             `json:"instance_id"`
	Sources    []SnapshotSource   `json:"sources"`
	Queries    []SnapshotQuery    `json:"queries"`
	Reactions  []SnapshotReaction `json:"reactions"`
}

// SnapshotSource is a source that is loaded.
type SnapshotSource struct {
	ID        string `json:"id"`
	Kind      string `json:"source_type"`
	Status    string `json:"status"`
	AutoStart bool   `json:"auto_start"`
}

// SnapshotQuery is a query that is loaded.
type SnapshotQuery struct {
	ID     string              `json:"id"`
	Status string              `json:"status"`
	Config SnapshotQueryConfig `json:"config"`
}

// SnapshotQueryConfig is a query's configuration.
type SnapshotQueryConfig struct {
	Query     string                `json:"query"`
	Language  string                `json:"queryLanguage"`
	AutoStart bool                  `json:"auto_start"`
	Sources   []SnapshotQuerySource `json:"sources"`
}

// SnapshotQuerySource is a query's connection to a source.
type SnapshotQuerySource struct {
	SourceID string `json:"source_id"`
}

// SnapshotReaction is a reaction that is loaded.
type SnapshotReaction struct {
	ID        string   `json:"id"`
	Kind      string   `json:"reaction_type"`
	Status    string   `json:"status"`
	AutoStart bool     `json:"auto_start"`
	Queries   []string `json:"queries"`
}

// Item is a component as the server lists it.
type Item struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	// ErrorMessage says why the component is in Error.
	ErrorMessage string `json:"error_message"`
}

// LogLine is a line of a component's log (4.6).
type LogLine struct {
	Timestamp string `json:"timestamp"`
	// Level is Trace, Debug, Info, Warn or Error.
	Level   string `json:"level"`
	Message string `json:"message"`
}

// decodeReply takes the data out of the envelope of a success (4.1).
func decodeReply[T any](body []byte) (T, error) {
	var reply struct {
		Success *bool `json:"success"`
		Data    *T    `json:"data"`
		Error   any   `json:"error"`
	}
	var none T
	if err := json.Unmarshal(body, &reply); err != nil {
		return none, fmt.Errorf("decode drasi-server's reply: %w", err)
	}
	if reply.Success == nil || !*reply.Success || reply.Data == nil {
		return none, errors.New("decode drasi-server's reply: it is no success with data")
	}
	return *reply.Data, nil
}

func decodeSnapshot(body []byte) (*Snapshot, error) {
	out, err := decodeReply[Snapshot](body)
	if err != nil {
		return nil, err
	}
	if out.InstanceID == "" {
		return nil, errors.New("decode drasi-server's reply: the snapshot names no instance")
	}
	return &out, nil
}

func decodeItem(body []byte) (*Item, error) {
	out, err := decodeReply[Item](body)
	if err != nil {
		return nil, err
	}
	if out.ID == "" || out.Status == "" {
		return nil, errors.New("decode drasi-server's reply: the component has no id or no status")
	}
	out.ErrorMessage = oneLine(out.ErrorMessage, maxErrorText)
	return &out, nil
}

func decodeLogs(body []byte) ([]LogLine, error) {
	lines, err := decodeReply[[]LogLine](body)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].Message = oneLine(lines[i].Message, maxErrorText)
	}
	return lines, nil
}
