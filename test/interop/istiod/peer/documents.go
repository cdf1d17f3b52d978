package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	crdvalidation "istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/resource"
	kubelib "istio.io/istio/pkg/kube"
)

// What a cluster would hold: Istio's objects as istiod's configuration, all others as objects of the API server.
type objects struct {
	configs    []config.Config
	kubernetes []runtime.Object
	// ServiceEntries as the API server has them.
	entries []runtime.Object
}

// Judges documents as a cluster does: the schemas and CEL rules of the CRDs (API server), then istiod's validation webhook.
type documentReader struct {
	schemas *crdvalidation.Validator
}

// Documents without a time are this old: all alike, so that names decide.
var created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newDocumentReader(crds string) (*documentReader, error) {
	schemas, err := crdvalidation.NewValidatorFromFilesWithOptions([]string{crds}, crdvalidation.WithoutCRDValidation())
	if err != nil {
		return nil, err
	}
	schemas.SkipMissing = true
	return &documentReader{schemas}, nil
}

func (r *documentReader) read(documents []string) (objects, map[int]string) {
	found := objects{}
	refused := map[int]string{}
	for i, document := range documents {
		if err := r.readOne(document, &found); err != nil {
			refused[i] = err.Error()
		}
	}
	found.forRoutes()
	return found, refused
}

func (r *documentReader) readOne(document string, found *objects) error {
	text, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		return err
	}
	meta := unstructured.Unstructured{}
	// The API server's own reader: whole numbers are integers, as CEL rules want them.
	if err := json.Unmarshal(text, &meta.Object); err != nil {
		return err
	}
	if group := meta.GroupVersionKind().Group; !strings.HasSuffix(group, ".istio.io") {
		object, _, err := kubelib.IstioCodec.UniversalDeserializer().Decode([]byte(document), nil, nil)
		if err != nil {
			return err
		}
		found.kubernetes = append(found.kubernetes, object)
		return nil
	}
	if err := r.schemas.ValidateCustomResource(meta.DeepCopy()); err != nil {
		return err
	}
	config, err := istioConfig(document)
	if err != nil {
		return err
	}
	found.configs = append(found.configs, *config)
	if config.GroupVersionKind != gvk.ServiceEntry {
		return nil
	}
	entry, _, err := kubelib.IstioCodec.UniversalDeserializer().Decode([]byte(document), nil, nil)
	if err != nil {
		return err
	}
	found.entries = append(found.entries, entry)
	return nil
}

// ServiceEntries are looked up at the API server by routes and policies of the Gateway API. Elsewhere they are left out there: istiod would
// take them from both places.
func (o *objects) forRoutes() {
	for _, object := range o.kubernetes {
		if strings.HasPrefix(object.GetObjectKind().GroupVersionKind().Group, "gateway.networking.") {
			o.kubernetes = append(o.kubernetes, o.entries...)
			return
		}
	}
}

func istioConfig(document string) (*config.Config, error) {
	object := crd.IstioKind{}
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return nil, err
	}
	groupVersionKind := object.GroupVersionKind()
	schema, known := collections.PilotGatewayAPI().FindByGroupVersionAliasesKind(resource.FromKubernetesGVK(&groupVersionKind))
	if !known {
		return nil, fmt.Errorf("unknown kind %v", groupVersionKind)
	}
	converted, err := crd.ConvertObject(schema, &object, "cluster.local")
	if err != nil {
		return nil, err
	}
	if converted.Namespace == "" {
		return nil, errors.New("a document must have a namespace")
	}
	if converted.CreationTimestamp.IsZero() {
		converted.CreationTimestamp = created
	}
	if _, err := schema.ValidateConfig(*converted); err != nil {
		return nil, err
	}
	return converted, nil
}

// What istiod says of mesh configurations that it does not take, by their index.
func refusedMeshes(meshes []string) map[int]string {
	refused := map[int]string{}
	for i, text := range meshes {
		if _, err := mesh.ApplyMeshConfigDefaults(text); err != nil {
			refused[i] = err.Error()
		}
	}
	return refused
}
