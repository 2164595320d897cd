package admission_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// subject is what a case changes: an object of testdata, or the status of one.
type subject struct {
	object *unstructured.Unstructured
	status bool
}

// maker makes a subject for a test.
type maker struct {
	kind string
	make func(*testing.T) subject
}

var (
	process        = instance("process")
	docker         = instance("docker")
	aks            = instance("aks")
	instanceStatus = status("DrasiInstance", "process", "status")
	hostSpec       = maker{"DrasiHost", instance("host").make}
	hostStatus     = status("DrasiHost", "host", "host_status")
)

// instance is an object of testdata that does not exist yet.
func instance(name string) maker {
	return maker{"DrasiInstance", func(t *testing.T) subject {
		t.Helper()
		return subject{object: load(t, name)}
	}}
}

// status is that of an object of testdata that exists, with a full status.
func status(kind, name, file string) maker {
	return maker{kind, func(t *testing.T) subject {
		t.Helper()
		object := load(t, name)
		create(t, object)
		object.Object["status"] = loadMap(t, "testdata/"+file+".yaml")
		return subject{object: object, status: true}
	}}
}

// with returns a copy, changed.
func (s subject) with(change func(map[string]any)) subject {
	s.object = s.object.DeepCopy()
	change(s.object.Object)
	return s
}

// try asks the API server whether it would take the object.
func (s subject) try(t *testing.T) error {
	t.Helper()
	if s.status {
		return server.client.SubResource("status").Update(t.Context(), s.object, &client.SubResourceUpdateOptions{
			UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}},
		})
	}
	return server.client.Create(t.Context(), s.object, client.DryRunAll)
}

// accepted fails unless the object is taken.
func (s subject) accepted(t *testing.T) {
	t.Helper()
	if err := s.try(t); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// refused fails unless the object is refused for the field alone, in the words.
func (s subject) refused(t *testing.T, field, words string) {
	t.Helper()
	expectRefusal(t, s.try(t), field, words)
}

// expectRefusal fails unless err is a refusal for the field alone, in the words.
func expectRefusal(t *testing.T, err error, field, words string) {
	t.Helper()
	refusal, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || refusal.ErrStatus.Code != http.StatusUnprocessableEntity {
		t.Errorf("want a refusal of %s, got %v", field, err)
		return
	}
	found := false
	for _, cause := range refusal.ErrStatus.Details.Causes {
		found = found || cause.Field == field && strings.Contains(cause.Message, words)
		// CEL is not tried on what has the wrong shape; the server says so beside the refusal, and sometimes repeats it without a field.
		if cause.Field != field && !strings.Contains(cause.Message, "some validation rules were not checked") && !strings.Contains(cause.Message, " in "+field) {
			t.Errorf("also refused: %s: %s", cause.Field, cause.Message)
		}
	}
	if !found {
		t.Errorf("want %q at %s, got %v", words, field, err)
	}
}
