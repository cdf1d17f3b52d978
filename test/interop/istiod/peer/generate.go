package main

import (
	"encoding/json"
	"sort"
	"time"

	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/test"
)

// Starts istiod's generators over the objects and lets each node ask what it asks for.
func generate(c testCase, found objects) (map[string]map[string][]json.RawMessage, error) {
	config := mesh.DefaultMeshConfig()
	if c.Mesh != "" {
		var err error
		if config, err = mesh.ApplyMeshConfigDefaults(c.Mesh); err != nil {
			return nil, err
		}
	}
	answers := map[string]map[string][]json.RawMessage{}
	err := test.Wrap(func(t test.Failer) {
		server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
			KubernetesObjects:  found.kubernetes,
			Configs:            discovered(t, found, config),
			MeshConfig:         config,
			KubeClientModifier: func(client kubelib.Client) { installGatewayAPI(t, client) },
		})
		// Access logs are kept for the whole process; those of the case before are another mesh's.
		core.NewConfigGenerator(nil).MeshConfigChanged(config)
		settle(t, server)
		client := newClient(t, server)
		for _, n := range c.Nodes {
			answer, err := client.resourcesOf(n)
			if err != nil {
				t.Fatalf("%s: %v", n.Name, err)
			}
			answers[n.Name] = answer
		}
	})
	return answers, err
}

// Objects come in by events, each of which may make a push of its own: waits until none is outstanding.
func settle(t test.Failer, server *xds.FakeDiscoveryServer) {
	quiet := 0
	for seen := int64(-1); quiet < 3; {
		server.EnsureSynced(t)
		if now := server.Discovery.InboundUpdates.Load(); now == seen {
			quiet++
		} else {
			seen, quiet = now, 0
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func sorted(byName map[string]json.RawMessage) []json.RawMessage {
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	sort.Strings(names)
	list := make([]json.RawMessage, 0, len(names))
	for _, name := range names {
		list = append(list, byName[name])
	}
	return list
}
