package drasi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
)

// Bounds of a call.
const (
	// callTimeout bounds a call whose context has no earlier deadline. A read takes 2 to 6 ms (4.7).
	callTimeout = 10 * time.Second
	// idleTimeout is how long a connection waits for the next call: long enough for the polls of a start, no longer.
	idleTimeout = 15 * time.Second
	// maxReply bounds a reply.
	maxReply = 8 << 20
	// maxErrorText bounds what is kept of an error's text.
	maxErrorText = 1000
)

// Errors of a Client, found with errors.Is.
var (
	// ErrInstanceUnknown says that the server has no instance of this id.
	ErrInstanceUnknown = errors.New("the server has no such instance")
	// ErrComponentUnknown says that the instance has no component of this id.
	ErrComponentUnknown = errors.New("the instance has no such component")
	// ErrReplyTooLarge says that a reply was longer than 8 MiB.
	ErrReplyTooLarge = errors.New("the reply is too large")
)

// StatusError is an answer that is no success (4.2).
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// Code is drasi-server's own, for instance SOURCE_NOT_FOUND; empty for an answer in plain text.
	Code string
	// Message is the server's word, shortened.
	Message string
}

// Error is the status and the server's word.
func (e *StatusError) Error() string {
	out := "status " + strconv.Itoa(e.Status)
	if e.Code != "" {
		out += " " + e.Code
	}
	if e.Message != "" {
		out += ": " + e.Message
	}
	return out
}

// Client talks to the API of one server (4.1 to 4.6). It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client of the API at an address. It connects at the first call.
func NewClient(api netip.AddrPort) *Client {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: callTimeout}).DialContext,
		DisableCompression:  true,
		MaxIdleConns:        1,
		MaxIdleConnsPerHost: 1,
		IdleConnTimeout:     idleTimeout,
	}
	return &Client{
		base: "http://" + api.String(),
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close drops the idle connection. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Health asks whether the API is up. It says nothing about components, nor about whose server it is (4.1).
func (c *Client) Health(ctx context.Context) error {
	_, err := c.get(ctx, "/health")
	return err
}

// Instances are the ids of the server's instances.
func (c *Client) Instances(ctx context.Context) ([]string, error) {
	body, err := c.get(ctx, "/api/v1/instances")
	if err != nil {
		return nil, err
	}
	items, err := decodeReply[[]struct {
		ID string `json:"id"`
	}](body)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	return ids, nil
}

// Snapshot is what an instance has loaded (4.4).
func (c *Client) Snapshot(ctx context.Context, id string) (*Snapshot, error) {
	body, err := c.get(ctx, instancePath(id)+"/snapshot")
	if isStatus(err, http.StatusNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrInstanceUnknown, err)
	}
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(body)
}

// Component is a component's status and, where it is in Error, why.
func (c *Client) Component(ctx context.Context, id string, kind v1alpha1.ComponentType, componentID string) (*Item, error) {
	body, err := c.get(ctx, componentPath(id, kind, componentID))
	if err != nil {
		return nil, componentError(err)
	}
	return decodeItem(body)
}

// Logs are the newest lines of a component's log, at most limit, oldest first (4.6).
func (c *Client) Logs(ctx context.Context, id string, kind v1alpha1.ComponentType, componentID string, limit int) ([]LogLine, error) {
	body, err := c.get(ctx, componentPath(id, kind, componentID)+"/logs?limit="+strconv.Itoa(limit))
	if err != nil {
		return nil, componentError(err)
	}
	return decodeLogs(body)
}

// componentError tells an unknown component, and the 500 that an unknown instance gets on these routes (4.3), from other errors.
func componentError(err error) error {
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch {
	case strings.HasSuffix(status.Code, "_NOT_FOUND") && status.Code != "INSTANCE_NOT_FOUND":
		return fmt.Errorf("%w: %w", ErrComponentUnknown, err)
	case status.Code == "INSTANCE_NOT_FOUND", status.Message == "Instance not found",
		status.Status == http.StatusNotFound && status.Code == "" && strings.HasPrefix(status.Message, "Instance "):
		return fmt.Errorf("%w: %w", ErrInstanceUnknown, err)
	default:
		return err
	}
}

func isStatus(err error, status int) bool {
	var answer *StatusError
	return errors.As(err, &answer) && answer.Status == status
}

func instancePath(id string) string { return "/api/v1/instances/" + url.PathEscape(id) }

func componentPath(id string, kind v1alpha1.ComponentType, componentID string) string {
	list := "sources"
	switch kind {
	case v1alpha1.ComponentQuery:
		list = "queries"
	case v1alpha1.ComponentReaction:
		list = "reactions"
	}
	return instancePath(id) + "/" + list + "/" + url.PathEscape(componentID)
}

// get makes one call. Whatever is no 200 is a StatusError.
func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask drasi-server: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask drasi-server: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("read drasi-server's reply to GET %s: %w", path, err)
	}
	if len(body) > maxReply {
		return nil, fmt.Errorf("GET %s: %w", path, ErrReplyTooLarge)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %w", path, decodeError(response.StatusCode, body))
	}
	return body, nil
}

// decodeError reads the body of an error, which is JSON or plain text (4.1, 4.3).
func decodeError(status int, body []byte) *StatusError {
	out := &StatusError{Status: status}
	var reply struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &reply) == nil && (reply.Code != "" || reply.Message != "") {
		out.Code, out.Message = oneLine(reply.Code, 64), oneLine(reply.Message, maxErrorText)
		return out
	}
	out.Message = oneLine(string(bytes.ToValidUTF8(body[:min(len(body), 4*maxErrorText)], nil)), maxErrorText)
	return out
}
