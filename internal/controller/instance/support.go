package instance

import (
	"fmt"

	"github.com/draas-io/draas/api/v1alpha1"
)

// Unsupported lists what an instance asks for and this release does not do yet, each with the field's path. Nothing is ignored silently: an
// instance with any of it is refused before it is placed, and a generation with any of it leaves a running server alone.
func Unsupported(instance *v1alpha1.DrasiInstance, supported ...v1alpha1.Platform) []string {
	spec := &instance.Spec
	var said []string
	refuse := func(condition bool, field, what string) {
		if condition {
			said = append(said, fmt.Sprintf("%s: %s not supported yet", field, what))
		}
	}
	refuse(!contains(supported, spec.Platform), "spec.platform", fmt.Sprintf("%s is", spec.Platform))
	for i := range spec.Env {
		refuse(spec.Env[i].ValueFrom != nil, fmt.Sprintf("spec.env[%d].valueFrom", i), "references to Secrets and ConfigMaps are")
	}
	refuse(len(spec.EnvFrom) > 0, "spec.envFrom", "references to Secrets and ConfigMaps are")
	refuse(len(spec.Files) > 0, "spec.files", "files from Secrets and ConfigMaps are")
	refuse(spec.Resources != nil && spec.Resources.Requests != nil, "spec.resources.requests", "setting resources aside is")
	refuse(spec.Storage != nil && spec.Storage.Type == v1alpha1.StoragePersistent, "spec.storage.type", "Persistent is")
	refuse(spec.Placement != nil && spec.Placement.HostSelector != nil, "spec.placement.hostSelector", "selecting hosts by labels is")
	refuse(spec.Health != nil, "spec.health", "healing of components is")
	refuse(spec.UpdateStrategy != nil && spec.UpdateStrategy.Type == v1alpha1.UpdateInPlace, "spec.updateStrategy.type", "InPlace is")
	for i := range spec.Ports {
		refuse(spec.Ports[i].Protocol == "UDP", fmt.Sprintf("spec.ports[%d].protocol", i), "UDP is")
	}
	if host := spec.Placement; host != nil && host.Host != "" && instance.Status.Host != "" && host.Host != instance.Status.Host {
		said = append(said, fmt.Sprintf("spec.placement.host: a move from %s to %s is not supported yet; delete the instance and create it anew",
			instance.Status.Host, host.Host))
	}
	return said
}

// Paused says whether a person asks that nothing of the instance be touched: whatever value the annotation has.
func Paused(instance *v1alpha1.DrasiInstance) bool {
	_, there := instance.Annotations[v1alpha1.AnnotationPaused]
	return there
}

func contains(list []v1alpha1.Platform, platform v1alpha1.Platform) bool {
	for _, p := range list {
		if p == platform {
			return true
		}
	}
	return false
}
