// Package controlplane runs a Kubernetes control plane of etcd and kube-apiserver on loopback, for development and tests: everything that must outlive a restart (certificates,
// service account keys, ports, data) is kept in one directory. There is no controller-manager, so nothing garbage-collects, and no ServiceAccount is made by itself.
package controlplane
