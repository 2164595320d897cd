package instance

import (
	"sort"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// graceDefault is the default of spec.terminationGracePeriodSeconds.
const graceDefault = 60 * time.Second

// Grace is how long a graceful stop of the instance may take.
func Grace(spec *v1alpha1.DrasiInstanceSpec) time.Duration {
	if spec.TerminationGracePeriodSeconds > 0 {
		return time.Duration(spec.TerminationGracePeriodSeconds) * time.Second
	}
	return graceDefault
}

// PlanOf parses and validates what an instance asks for.
func PlanOf(instance *v1alpha1.DrasiInstance) *drasi.Plan {
	plan := drasi.NewPlan(drasi.Input{
		Config: &instance.Spec.Config, Name: instance.Name, Env: literalEnv(&instance.Spec),
		Ports: instance.Spec.Ports, Expose: instance.Spec.Expose == v1alpha1.ExposeHost,
	})
	plan.Findings = append(plan.Findings, limitFindings(&instance.Spec)...)
	return plan
}

// RefOf names an instance's runtime.
func RefOf(instance *v1alpha1.DrasiInstance) platform.Ref {
	return platform.Ref{UID: string(instance.UID), Namespace: instance.Namespace, Name: instance.Name}
}

// desired is what the driver is asked for.
func desired(instance *v1alpha1.DrasiInstance, plan *drasi.Plan, hash string) platform.Desired {
	want := platform.Desired{
		Ref: RefOf(instance), Hash: hash, Generation: instance.Generation, Replace: true,
		Version: instance.Spec.Version, InstanceID: plan.InstanceID, Config: plan.Rendered,
		Folders: plan.Folders, Expose: instance.Spec.Expose == v1alpha1.ExposeHost, APIPort: plan.APIPort,
		Listeners: Listeners(plan), Resources: Limits(&instance.Spec), Grace: Grace(&instance.Spec),
	}
	for name, value := range literalEnv(&instance.Spec) {
		want.Env = append(want.Env, platform.EnvVar{Name: name, Value: value})
	}
	sort.Slice(want.Env, func(i, j int) bool { return want.Env[i].Name < want.Env[j].Name })
	for _, plugin := range plan.Plugins {
		want.Plugins = append(want.Plugins, platform.Plugin(plugin))
	}
	return want
}

// Listeners are the TCP listeners that a server has once it runs: those of components that start with it.
func Listeners(plan *drasi.Plan) []platform.Listener {
	var list []platform.Listener
	for _, listener := range plan.Listeners {
		if !listener.UDP && (listener.AutoStart || listener.Component == "") {
			list = append(list, platform.Listener{
				Component: listener.Component, Name: listener.Name, Address: listener.Address, Port: listener.Port,
				Scheme: listener.Scheme, Path: listener.Path,
			})
		}
	}
	return list
}
