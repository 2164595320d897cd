package failpoint

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryWriteHasAName(t *testing.T) {
	const instances = "/apis/draas.io/v1alpha1/namespaces/shop/drasiinstances"
	for _, c := range []struct {
		method, path, body string
		want               Write
		object             string
	}{
		{"PATCH", instances + "/a", `{"metadata":{"finalizers":["draas.io/runtime"],"resourceVersion":"1"}}`, WriteHold, "a"},
		{"PATCH", instances + "/a", `{"metadata":{"finalizers":null,"resourceVersion":"1"}}`, WriteLetGo, "a"},
		{"PATCH", instances + "/a/status", `{"status":{"host":"h","conditions":[{"type":"Released","status":"False"}]}}`, WritePlace, "a"},
		{"PATCH", instances + "/a/status", `{"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Released","status":"False"}]}}`, WriteStatus, "a"},
		{"PATCH", instances + "/a/status", `{"status":{"conditions":[{"type":"Released","status":"True"}]}}`, WriteReleased, "a"},
		{"POST", "/apis/draas.io/v1alpha1/drasihosts", `{}`, WriteRegister, ""},
		{"PATCH", "/apis/draas.io/v1alpha1/drasihosts/h/status", `{}`, WriteHostStatus, "h"},
		{"POST", "/apis/coordination.k8s.io/v1/namespaces/draas-agents/leases", ``, WriteLeaseCreate, ""},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/draas-agents/leases/h", ``, WriteLease, "h"},
		{"POST", "/apis/events.k8s.io/v1/namespaces/shop/events", ``, WriteEvent, ""},
		{"PATCH", "/apis/events.k8s.io/v1/namespaces/shop/events/e", ``, WriteEvent, "e"},
		{"POST", "/api/v1/namespaces/draas-system/events", ``, WriteEvent, ""},
		{"GET", instances, ``, "", ""},
	} {
		request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		write, object, err := Of(request)
		if err != nil || write != c.want || object != c.object {
			t.Errorf("%s %s is %q of %q, %v; want %q of %q", c.method, c.path, write, object, err, c.want, c.object)
		}
		if left, err := io.ReadAll(request.Body); err != nil || string(left) != c.body {
			t.Errorf("%s %s: the body is %q, %v", c.method, c.path, left, err)
		}
	}
}

func TestAWriteThatNobodyHasNamedIsAnError(t *testing.T) {
	for _, path := range []string{"/api/v1/namespaces/shop/secrets", "/apis/draas.io/v1alpha1/namespaces/shop/drasiinstances", "/"} {
		if write, _, err := Of(httptest.NewRequest(http.MethodPost, path, http.NoBody)); err == nil || write != "" {
			t.Errorf("POST %s is %q", path, write)
		}
	}
}
