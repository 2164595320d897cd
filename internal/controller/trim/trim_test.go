package trim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// samples returns a function that decodes the number-th of many instances as the API server sends it: the sample as it is once it runs.
func samples(t testing.TB) func(number int) *v1alpha1.DrasiInstance {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", "draas_v1alpha1_drasiinstance_http_sse.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	object := &v1alpha1.DrasiInstance{}
	if err := yaml.Unmarshal(text, object); err != nil {
		t.Fatal(err)
	}
	fields, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	object.Name, object.Namespace, object.UID = "orders-NUMBER", "shop", "00000000-0000-0000-0000-NUMBER"
	object.ResourceVersion, object.Generation, object.Finalizers = "1NUMBER", 3, []string{v1alpha1.FinalizerRuntime}
	object.CreationTimestamp = metav1.NewTime(time.Unix(1000, 0))
	object.Annotations = map[string]string{lastApplied: string(text)}
	object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(string(fields))}}
	object.Status.Host, object.Status.ObservedGeneration = "node-a", 3
	for _, name := range []string{"Ready", "Placed", "ConfigValid", "ConfigApplied", "Live", "ComponentsReady", "Released"} {
		object.Status.Conditions = append(object.Status.Conditions, metav1.Condition{
			Type: name, Status: metav1.ConditionTrue, Reason: "Running", Message: "some words", ObservedGeneration: 3, LastTransitionTime: object.CreationTimestamp,
		})
	}
	wire, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return func(number int) *v1alpha1.DrasiInstance {
		decoded := &v1alpha1.DrasiInstance{}
		if err := json.Unmarshal(bytes.ReplaceAll(wire, []byte("NUMBER"), fmt.Appendf(nil, "%012d", number)), decoded); err != nil {
			t.Fatal(err)
		}
		return decoded
	}
}

func trimmed(t testing.TB, object *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance {
	t.Helper()
	result, err := Transform(object)
	if err != nil {
		t.Fatal(err)
	}
	return result.(*v1alpha1.DrasiInstance)
}

func TestTrimmedObjectKeepsWhatTheControllerNeeds(t *testing.T) {
	whole := samples(t)(1)
	now := metav1.Now()
	whole.DeletionTimestamp, whole.Annotations[v1alpha1.AnnotationPaused] = &now, "by me"
	want, err := Claims(whole)
	if err != nil || len(want) == 0 {
		t.Fatalf("claims %v, %v", want, err)
	}
	small := trimmed(t, whole.DeepCopy())
	if !Trimmed(small) || Trimmed(whole) {
		t.Error("which one is trimmed cannot be told")
	}
	got, err := Claims(small)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("claims %v, %v, want %v", got, err, want)
	}
	for name, same := range map[string]bool{
		"name": small.Name == whole.Name, "namespace": small.Namespace == whole.Namespace, "uid": small.UID == whole.UID,
		"resource version": small.ResourceVersion == whole.ResourceVersion, "generation": small.Generation == whole.Generation,
		"deletion": small.DeletionTimestamp.Equal(whole.DeletionTimestamp), "finalizers": reflect.DeepEqual(small.Finalizers, whole.Finalizers),
		"paused": small.Annotations[v1alpha1.AnnotationPaused] == "by me", "platform": small.Spec.Platform == whole.Spec.Platform,
		"host": small.Status.Host == "node-a", "conditions": len(small.Status.Conditions) == 2,
	} {
		if !same {
			t.Errorf("%s is lost", name)
		}
	}
	if again := trimmed(t, small.DeepCopy()); !reflect.DeepEqual(again, small) {
		t.Error("a second time changes something")
	}
}

func TestAnInstanceThatIsNotPlacedStaysWhole(t *testing.T) {
	object := samples(t)(1)
	object.Status.Host = ""
	kept := trimmed(t, object.DeepCopy())
	if Trimmed(kept) || !reflect.DeepEqual(kept.Spec, object.Spec) || !reflect.DeepEqual(kept.Status, object.Status) {
		t.Error("something is lost")
	}
	if kept.ManagedFields != nil || kept.Annotations[lastApplied] != "" {
		t.Error("what nobody reads is kept")
	}
}

func TestOtherObjectsAreOnlyFreedOfWhatNobodyReads(t *testing.T) {
	host := &v1alpha1.DrasiHost{}
	host.Annotations = map[string]string{lastApplied: "x", v1alpha1.AnnotationReap: "1"}
	host.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	host.Status.Address = "10.0.0.4"
	result, err := Transform(host)
	if err != nil {
		t.Fatal(err)
	}
	kept := result.(*v1alpha1.DrasiHost)
	if kept.Status.Address == "" || len(kept.Annotations) != 1 || kept.ManagedFields != nil {
		t.Errorf("kept %+v", kept)
	}
}

// BenchmarkHeap tells what an instance costs in the cache.
func BenchmarkHeap(b *testing.B) {
	sample := samples(b)
	for name, keep := range map[string]func(*v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance{
		"whole":   func(o *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance { return o },
		"trimmed": func(o *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance { return trimmed(b, o) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				const count = 10_000
				before := heap()
				objects := make([]*v1alpha1.DrasiInstance, 0, count)
				for i := range count {
					objects = append(objects, keep(sample(i)))
				}
				b.ReportMetric(float64(heap()-before)/count, "B/instance")
				runtime.KeepAlive(objects)
			}
			b.ReportMetric(float64(unsafe.Sizeof(v1alpha1.DrasiInstance{})), "B/struct")
		})
	}
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestWhoeverWritesTheMarkHimselfIsNotBelieved(t *testing.T) {
	object := samples(t)(1)
	want, err := Claims(object)
	if err != nil {
		t.Fatal(err)
	}
	object.Status.Host = "node-a"
	object.Annotations = map[string]string{claimsAnnotation: `[{"port": 1, "address": ""}]`}
	small, err := Transform(object)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Claims(small.(*v1alpha1.DrasiInstance)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("claims are %v (%v), want %v", got, err, want)
	}
}
