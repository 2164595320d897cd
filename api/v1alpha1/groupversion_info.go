// Package v1alpha1 is the API of DRaaS: a DrasiInstance is one running drasi-server, a DrasiHost is a machine that an agent serves.
//
// +kubebuilder:object:generate=true
// +groupName=draas.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "draas.io", Version: "v1alpha1"}

	// SchemeBuilder registers the kinds of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &DrasiInstance{}, &DrasiInstanceList{}, &DrasiHost{}, &DrasiHostList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
