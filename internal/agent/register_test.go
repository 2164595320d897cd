package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
)

// wordy is a platform that has much to say.
type wordy struct {
	platform.Driver

	found platform.Fingerprint
	err   error
}

// Fingerprint says it.
func (w wordy) Fingerprint(context.Context) (platform.Fingerprint, error) { return w.found, w.err }

// The API server refuses a status whole for one text that is too long.
func TestWhatAPlatformSaysIsNoLongerThanTheAPITakes(t *testing.T) {
	const most = 1024
	long := "it does not work: " + strings.Repeat("ä", 3000)
	for name, driver := range map[string]wordy{
		"an error":  {err: errors.New(long)},
		"a message": {found: platform.Fingerprint{Health: platform.HealthUnhealthy, Message: long}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &registrar{
				options: &Options{Platforms: []v1alpha1.Platform{v1alpha1.PlatformProcess}}, holds: newHolds(),
				drivers: map[v1alpha1.Platform]platform.Driver{v1alpha1.PlatformProcess: driver},
			}
			told := &v1alpha1.DrasiHost{}
			r.describe(t.Context(), told)
			message := told.Status.Platforms[0].Message
			if len(message) > most || !utf8.ValidString(message) || !strings.HasPrefix(message, "it does not work: ") {
				t.Errorf("%d bytes: %q", len(message), message)
			}
			if ready := told.Status.Conditions[0].Message; !strings.Contains(ready, message) {
				t.Errorf("Ready says %q", ready)
			}
		})
	}
}
