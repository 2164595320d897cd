//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// policy has the API server log every write of a ServiceAccount, and everybody's writes of instances; reads are not logged.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
  userGroups: ["system:serviceaccounts"]
- level: Metadata
  resources: [{group: draas.io}]
- level: None
`

// write is a write request, as the API server logged it.
type write struct {
	User      string
	Verb      string
	Resource  string // with the subresource
	Name      string
	Code      int
	Received  instant
	Completed instant
}

// good says that the request wrote something.
func (w write) good() bool { return w.Code >= 200 && w.Code < 300 }

// audit is the API server's audit log.
type audit struct{ path string }

// install writes the policy and returns the flags that turn the log on.
func (a *audit) install(dir string) ([]string, error) {
	a.path = filepath.Join(dir, "audit.log")
	file := filepath.Join(dir, "audit-policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		return nil, fmt.Errorf("write the audit policy: %w", err)
	}
	return []string{"--audit-policy-file=" + file, "--audit-log-path=" + a.path}, nil
}

// mark is where the log ends now.
func (a *audit) mark() int64 {
	info, err := os.Stat(a.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// since reads what was logged after a mark.
func (a *audit) since(mark int64) ([]write, error) {
	file, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, mark, 1<<40))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	return parseAudit(whole, fromWall)
}

// settled reads what was logged after a mark, once nothing was added for a moment: a request is logged a little after its answer.
func (a *audit) settled(mark int64) ([]write, error) {
	for size := int64(-1); size != a.mark(); time.Sleep(200 * time.Millisecond) {
		size = a.mark()
	}
	return a.since(mark)
}

// parseAudit reads lines of the log.
func parseAudit(text []byte, toInstant func(time.Time) instant) ([]write, error) {
	var writes []write
	for entry := range bytes.Lines(text) {
		var event struct {
			Stage string `json:"stage"`
			Verb  string `json:"verb"`
			User  struct {
				Username string `json:"username"`
			} `json:"user"`
			ObjectRef struct {
				APIGroup    string `json:"apiGroup"`
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
				Name        string `json:"name"`
			} `json:"objectRef"`
			ResponseStatus struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
			RequestReceivedTimestamp time.Time `json:"requestReceivedTimestamp"`
			StageTimestamp           time.Time `json:"stageTimestamp"`
		}
		if err := json.Unmarshal(entry, &event); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		if event.Stage != "ResponseComplete" {
			continue
		}
		w := write{
			User: event.User.Username, Verb: event.Verb, Resource: event.ObjectRef.Resource, Name: event.ObjectRef.Name, Code: event.ResponseStatus.Code,
			Received: toInstant(event.RequestReceivedTimestamp), Completed: toInstant(event.StageTimestamp),
		}
		if event.ObjectRef.APIGroup == "" {
			w.Resource = "core/" + w.Resource
		}
		if event.ObjectRef.Subresource != "" {
			w.Resource += "/" + event.ObjectRef.Subresource
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// part is who wrote: controller or agent; else empty.
func (w write) part() string {
	switch {
	case strings.HasSuffix(w.User, ":draas-controller"):
		return "controller"
	case strings.HasSuffix(w.User, ":draas-agent"):
		return "agent"
	}
	return ""
}

// tally counts our writes by what they write.
type tally struct {
	instances, events, leases, hosts, other, refused int
}

// count sorts writes of the product, of one part or, with an empty name, of both.
func count(writes []write, part string) tally {
	var t tally
	for _, w := range writes {
		if w.part() == "" || part != "" && w.part() != part {
			continue
		}
		switch {
		case !w.good():
			t.refused++
		case strings.HasPrefix(w.Resource, "drasiinstances"):
			t.instances++
		case w.Resource == "events":
			t.events++
		case w.Resource == "leases", w.Resource == "core/events": // leader election tells of itself by Events of the old kind
			t.leases++
		case strings.HasPrefix(w.Resource, "drasihosts"):
			t.hosts++
		default:
			t.other++
		}
	}
	return t
}
