// Package failpoint names every write that controller and agent send to the API server, and can kill the own process before or after one of them,
// or before or after an effect of a driver on its host. Only binaries built with the tag failpoint contain it: it serves crash tests, which show
// that such a death changes nothing in the end.
package failpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Write names a write to the API server.
type Write string

// The writes. docs/effect-points.md tells what each is for.
const (
	// WriteHold adds the finalizer to an instance.
	WriteHold Write = "hold"
	// WritePlace writes the host of an instance.
	WritePlace Write = "place"
	// WriteLetGo removes the finalizer from an instance.
	WriteLetGo Write = "let-go"
	// WriteStatus writes any other status of an instance.
	WriteStatus Write = "status"
	// WriteReleased writes the status that says that nothing of an instance is left.
	WriteReleased Write = "released"
	// WriteRegister creates a DrasiHost.
	WriteRegister Write = "register"
	// WriteHostStatus writes the status of a DrasiHost.
	WriteHostStatus Write = "host-status"
	// WriteLeaseCreate creates a Lease: that of a host, or that of the leading controller.
	WriteLeaseCreate Write = "lease-create"
	// WriteLease renews, takes over or gives up a Lease.
	WriteLease Write = "lease"
	// WriteEvent creates an Event, or counts it once more.
	WriteEvent Write = "event"
)

// OfController are the writes of the controller.
func OfController() []Write {
	return []Write{WriteHold, WritePlace, WriteLetGo, WriteStatus, WriteHostStatus, WriteLeaseCreate, WriteLease, WriteEvent}
}

// OfAgent are the writes of an agent.
func OfAgent() []Write {
	return []Write{WriteRegister, WriteHostStatus, WriteLeaseCreate, WriteLease, WriteStatus, WriteReleased, WriteEvent}
}

// target is what a request is about, from its path.
type target struct {
	resource, name, sub string
}

// targetOf understands /api/v1/… and /apis/GROUP/VERSION/…, each with or without a namespace.
func targetOf(path string) target {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	skip := 2
	if parts[0] == "apis" {
		skip = 3
	}
	if len(parts) > skip+2 && parts[skip] == "namespaces" {
		skip += 2
	}
	parts = append(parts[min(skip, len(parts)):], "", "", "")
	return target{resource: parts[0], name: parts[1], sub: parts[2]}
}

// Of names the write that a request is, and its object as far as the path tells. A read has no name; a write that nobody has named is an error.
func Of(request *http.Request) (write Write, object string, err error) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		return "", "", nil
	}
	at := targetOf(request.URL.Path)
	body, err := bodyOf(request)
	if err != nil {
		return "", "", err
	}
	switch request.Method + " " + at.resource + "/" + at.sub {
	case "PATCH drasiinstances/":
		write = finalizerWrite(body)
	case "PATCH drasiinstances/status":
		write = statusWrite(body)
	case "POST drasihosts/":
		write = WriteRegister
	case "PATCH drasihosts/status":
		write = WriteHostStatus
	case "POST leases/":
		write = WriteLeaseCreate
	case "PUT leases/":
		write = WriteLease
	case "POST events/", "PATCH events/", "PUT events/":
		write = WriteEvent
	default:
		return "", "", fmt.Errorf("the write %s %s has no name in package failpoint", request.Method, request.URL.Path)
	}
	return write, at.name, nil
}

// bodyOf reads the body of a request and puts it back.
func bodyOf(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("read the body of a request: %w", err)
	}
	if err := request.Body.Close(); err != nil {
		return nil, fmt.Errorf("read the body of a request: %w", err)
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// finalizerWrite tells from a merge patch what becomes of the finalizers.
func finalizerWrite(body []byte) Write {
	var patch struct {
		Metadata struct {
			Finalizers []string `json:"finalizers"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &patch) == nil && len(patch.Metadata.Finalizers) > 0 {
		return WriteHold
	}
	return WriteLetGo
}

// statusWrite tells from a merge patch what a status says.
func statusWrite(body []byte) Write {
	var patch struct {
		Status struct {
			Host       string `json:"host"`
			Conditions []struct {
				Type   string `json:"type"`
				Status string `json:"status"`
			} `json:"conditions"`
		} `json:"status"`
	}
	if json.Unmarshal(body, &patch) != nil {
		return WriteStatus
	}
	if patch.Status.Host != "" {
		return WritePlace
	}
	for _, condition := range patch.Status.Conditions {
		if condition.Type == "Released" && condition.Status == "True" {
			return WriteReleased
		}
	}
	return WriteStatus
}
