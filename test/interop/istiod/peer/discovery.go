package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/kclient"
	"istio.io/istio/pkg/kube/namespace"
	"istio.io/istio/pkg/test"
)

// Istio's objects of the namespaces that MeshConfig's discoverySelectors take. istiod's own client of the API server filters them so; the
// store in memory that stands for it here does not.
func discovered(t test.Failer, found objects, mesh *meshconfig.MeshConfig) []config.Config {
	if len(mesh.GetDiscoverySelectors()) == 0 {
		return found.configs
	}
	namespaces := []runtime.Object{}
	for _, object := range found.kubernetes {
		if _, ok := object.(*corev1.Namespace); ok {
			namespaces = append(namespaces, object)
		}
	}
	client := kubelib.NewFakeClient(namespaces...)
	t.Cleanup(client.Shutdown)
	stop := test.NewStop(t)
	watched := kclient.New[*corev1.Namespace](client)
	client.RunAndWait(stop)
	filter := namespace.NewDiscoveryNamespacesFilter(watched, meshwatcher.NewTestWatcher(mesh), stop)
	kept := []config.Config{}
	for _, each := range found.configs {
		if filter.Filter(each.Namespace) {
			kept = append(kept, each)
		}
	}
	return kept
}
