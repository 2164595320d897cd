package agent

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/draas-io/draas/api/v1alpha1"
)

// seenAt is an instance's object of that version.
func seenAt(uid, version string) *v1alpha1.DrasiInstance {
	instance := &v1alpha1.DrasiInstance{}
	instance.UID, instance.ResourceVersion = types.UID(uid), version
	return instance
}

func TestOnlyWhatIsNewerThanAllThatWasKnownHasArrived(t *testing.T) {
	tests := map[string]struct {
		happens string // words: came, changed or went, then uid and version
		ask     *v1alpha1.DrasiInstance
		want    bool
	}{
		"placed after the agent began":         {"came a 101", seenAt("a", "101"), true},
		"one after the other":                  {"came a 101,came b 102", seenAt("b", "102"), true},
		"known when the agent began":           {"came a 100", seenAt("a", "100"), false},
		"older than that":                      {"came a 99", seenAt("a", "99"), false},
		"an old view while it runs":            {"came a 101,changed a 105,went a 106,came a 101", seenAt("a", "101"), false},
		"another's old view":                   {"came b 200,came a 150", seenAt("a", "150"), false},
		"changed since":                        {"came a 101,changed a 102", seenAt("a", "102"), false},
		"changed since, and not yet noticed":   {"came a 101", seenAt("a", "102"), false},
		"gone since":                           {"came a 101,went a 102", seenAt("a", "101"), false},
		"never seen":                           {"came a 101", seenAt("b", "101"), false},
		"a version that cannot be compared":    {"came a x", seenAt("a", "x"), false},
		"made anew under the versions of old":  {"came a 101,went a 102,came b 103", seenAt("b", "103"), true},
		"one version cannot be of two objects": {"came a 101,came b 101", seenAt("b", "101"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := &arrivals{newest: 100, fresh: map[types.UID]string{}}
			for happens := range strings.SplitSeq(test.happens, ",") {
				words := strings.Fields(happens)
				map[string]func(*v1alpha1.DrasiInstance){
					"came":    func(i *v1alpha1.DrasiInstance) { a.came(i) },
					"changed": func(i *v1alpha1.DrasiInstance) { a.changed(i) },
					"went":    func(i *v1alpha1.DrasiInstance) { a.went(i) },
				}[words[0]](seenAt(words[1], words[2]))
			}
			if got := a.take(test.ask); got != test.want {
				t.Errorf("arrived: %t", got)
			}
			if a.take(test.ask) {
				t.Error("it is told twice")
			}
		})
	}
}
