package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reply is what a request got: a body that is JSON is decoded.
type reply struct {
	Status      int
	ContentType string
	Body        any
	failed      error
}

const requestLimit = 10 * time.Second

// request asks the API on a loopback port.
func request(t *testing.T, port int, method, path, contentType string, body []byte) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), bytes.NewReader(body))
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{failed: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{failed: err}
	}
	got := reply{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: string(text)}
	if strings.HasPrefix(got.ContentType, "application/json") {
		var value any
		if err := json.Unmarshal(text, &value); err == nil {
			got.Body = value
		}
	}
	return got
}

func healthy(t *testing.T, port int) bool {
	t.Helper()
	got := request(t, port, http.MethodGet, "/health", "", nil)
	return got.failed == nil && got.Status == http.StatusOK
}

func dial(port int) (net.Conn, error) {
	return net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), requestLimit)
}
