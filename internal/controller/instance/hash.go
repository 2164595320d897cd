package instance

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// hashInputs are the inputs that decide on a replacement, in the first version of the list. Everything else (deadlines, placement, strategy,
// metadata, ports that were allocated, the bytes of the rendered file) may change without a restart. A field that is absent or has its default
// is left out, so that a field that a later release adds changes no hash; for a change of meaning there is a new version of the list.
type hashInputs struct {
	Version      string            `json:"version"`
	Config       json.RawMessage   `json:"config"`
	Env          map[string]string `json:"env,omitempty"`
	Expose       v1alpha1.Expose   `json:"expose,omitempty"`
	Ports        []v1alpha1.Port   `json:"ports,omitempty"`
	RestartToken string            `json:"restartToken,omitempty"`
	Limits       *hashLimits       `json:"limits,omitempty"`
}

// hashLimits are limits in one way of writing them: 512Mi and 536870912 are the same.
type hashLimits struct {
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	CPUMilli    int64 `json:"cpuMilli,omitempty"`
}

// InputHash returns the hash of an instance's inputs. Values of variables enter it only as parts of a SHA-256.
func InputHash(spec *v1alpha1.DrasiInstanceSpec, plan *drasi.Plan) (string, error) {
	inputs := hashInputs{Version: spec.Version, Config: plan.Canonical, Ports: canonicalPorts(spec.Ports), RestartToken: spec.RestartToken}
	if spec.Expose != v1alpha1.ExposeLoopback {
		inputs.Expose = spec.Expose
	}
	if len(spec.Env) > 0 {
		inputs.Env = literalEnv(spec)
	}
	if limits := Limits(spec); limits != (platform.Resources{}) {
		inputs.Limits = &hashLimits{MemoryBytes: limits.Memory, CPUMilli: limits.CPU}
	}
	data, err := json.Marshal(inputs)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "v1-" + hex.EncodeToString(sum[:16]), nil
}

// canonicalPorts brings ports into one order and leaves out defaults: neither says anything.
func canonicalPorts(ports []v1alpha1.Port) []v1alpha1.Port {
	canonical := slices.Clone(ports)
	for i := range canonical {
		if canonical[i].Protocol == "TCP" {
			canonical[i].Protocol = ""
		}
	}
	slices.SortFunc(canonical, func(a, b v1alpha1.Port) int { return cmp.Compare(a.Name, b.Name) })
	return canonical
}

// literalEnv returns the variables whose values stand in the object.
func literalEnv(spec *v1alpha1.DrasiInstanceSpec) map[string]string {
	env := make(map[string]string, len(spec.Env))
	for _, variable := range spec.Env {
		if variable.ValueFrom != nil {
			continue
		}
		env[variable.Name] = ""
		if variable.Value != nil {
			env[variable.Name] = *variable.Value
		}
	}
	return env
}
