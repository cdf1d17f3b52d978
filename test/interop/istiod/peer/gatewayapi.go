package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	k8stesting "k8s.io/client-go/testing"

	"istio.io/istio/pkg/config/schema/gvr"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/kclient/clienttest"
	"istio.io/istio/pkg/test"
)

const bundleVersion = "gateway.networking.k8s.io/bundle-version"

// istiod leaves kinds of the Gateway API alone whose CustomResourceDefinition is too old, and the fake server's say nothing of their age:
// each gets a version as it is made.
func installGatewayAPI(t test.Failer, client kubelib.Client) {
	metadata, fake := client.Metadata().(*metadatafake.FakeMetadataClient)
	if !fake {
		t.Fatal("the metadata client is not the fake one")
	}
	metadata.PrependReactor("*", gvr.CustomResourceDefinition.Resource, func(action k8stesting.Action) (bool, runtime.Object, error) {
		made, ok := action.(interface{ GetObject() runtime.Object })
		if !ok {
			return false, nil, nil
		}
		if crd, ok := made.GetObject().(*metav1.PartialObjectMetadata); ok {
			crd.Annotations = map[string]string{bundleVersion: "v1.6.0"}
		}
		return false, nil, nil
	})
	clienttest.MakeCRD(t, client, gvr.BackendTLSPolicy)
	clienttest.MakeCRD(t, client, gvr.ServiceEntry)
}
