package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/test"
)

type node struct {
	Name     string
	ID       string
	Metadata map[string]any
	Locality struct{ Region, Zone, SubZone string }
}

// Asks over real state-of-the-world ADS streams.
type client struct {
	ads discovery.AggregatedDiscoveryServiceClient
}

func newClient(t test.Failer, server *xds.FakeDiscoveryServer) *client {
	conn, err := grpc.NewClient("passthrough:///istiod",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<28)),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return server.BufListener.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{discovery.NewAggregatedDiscoveryServiceClient(conn)}
}

// What a node holds in the end. A sidecar or gateway asks for all clusters and listeners, then for the endpoints and routes that those
// name; a gRPC library asks for the listeners of its metadata `x-listeners`, and for what those name.
func (c *client) resourcesOf(n node) (map[string][]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := c.ads.StreamAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := structpb.NewStruct(n.Metadata)
	if err != nil {
		return nil, err
	}
	s := &session{stream, &corev3.Node{
		Id:       n.ID,
		Metadata: metadata,
		Locality: &corev3.Locality{Region: n.Locality.Region, Zone: n.Locality.Zone, SubZone: n.Locality.SubZone},
	}}
	if n.Metadata["GENERATOR"] == "grpc" {
		return s.grpcNode(n)
	}
	return s.proxyNode()
}

type session struct {
	stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node   *corev3.Node
}

func (s *session) proxyNode() (map[string][]json.RawMessage, error) {
	answer := newDump()
	if err := s.ask(answer.clusters, v3.ClusterType, nil); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.endpoints, v3.EndpointType, answer.edsNames()); err != nil {
		return nil, err
	}
	if err := s.ask(answer.listeners, v3.ListenerType, nil); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.routes, v3.RouteType, answer.rdsNames()); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.extensions, v3.ExtensionConfigurationType, answer.extensionNames()); err != nil {
		return nil, err
	}
	return answer.json()
}

func (s *session) grpcNode(n node) (map[string][]json.RawMessage, error) {
	answer := newDump()
	asked := []string{}
	if list, ok := n.Metadata["x-listeners"].([]any); ok {
		for _, name := range list {
			asked = append(asked, fmt.Sprint(name))
		}
	}
	if err := s.askSome(answer.listeners, v3.ListenerType, asked); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.routes, v3.RouteType, answer.rdsNames()); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.clusters, v3.ClusterType, answer.routedClusters()); err != nil {
		return nil, err
	}
	if err := s.askSome(answer.endpoints, v3.EndpointType, answer.edsNames()); err != nil {
		return nil, err
	}
	return answer.json()
}

func (s *session) askSome(into map[string]proto.Message, typeURL string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return s.ask(into, typeURL, names)
}

func (s *session) ask(into map[string]proto.Message, typeURL string, names []string) error {
	if err := s.stream.Send(&discovery.DiscoveryRequest{Node: s.node, TypeUrl: typeURL, ResourceNames: names}); err != nil {
		return err
	}
	for {
		response, err := s.stream.Recv()
		if err != nil {
			return err
		}
		if err := s.stream.Send(&discovery.DiscoveryRequest{
			TypeUrl: response.TypeUrl, ResourceNames: names, ResponseNonce: response.Nonce, VersionInfo: response.VersionInfo,
		}); err != nil {
			return err
		}
		if response.TypeUrl != typeURL {
			continue
		}
		return collect(into, response.Resources)
	}
}

func collect(into map[string]proto.Message, resources []*anypb.Any) error {
	for _, resource := range resources {
		message, err := resource.UnmarshalNew()
		if err != nil {
			return err
		}
		into[nameOf(message)] = message
	}
	return nil
}

func nameOf(message proto.Message) string {
	switch m := message.(type) {
	case *endpoint.ClusterLoadAssignment:
		return m.ClusterName
	case interface{ GetName() string }:
		return m.GetName()
	}
	return ""
}

type dump struct{ clusters, endpoints, listeners, routes, extensions map[string]proto.Message }

func newDump() *dump {
	return &dump{map[string]proto.Message{}, map[string]proto.Message{}, map[string]proto.Message{}, map[string]proto.Message{}, map[string]proto.Message{}}
}

func (d *dump) edsNames() []string {
	names := []string{}
	for _, message := range d.clusters {
		c := message.(*cluster.Cluster)
		if c.GetType() != cluster.Cluster_EDS {
			continue
		}
		if service := c.GetEdsClusterConfig().GetServiceName(); service != "" {
			names = append(names, service)
		} else {
			names = append(names, c.Name)
		}
	}
	return names
}

func (d *dump) rdsNames() []string {
	names := map[string]bool{}
	add := func(config *anypb.Any) {
		manager := &hcm.HttpConnectionManager{}
		if config.UnmarshalTo(manager) == nil && manager.GetRds() != nil {
			names[manager.GetRds().RouteConfigName] = true
		}
	}
	for _, message := range d.listeners {
		l := message.(*listener.Listener)
		if l.GetApiListener() != nil {
			add(l.GetApiListener().ApiListener)
		}
		for _, chain := range append(l.FilterChains, l.DefaultFilterChain) {
			for _, filter := range chain.GetFilters() {
				if filter.GetTypedConfig() != nil {
					add(filter.GetTypedConfig())
				}
			}
		}
	}
	return keys(names)
}

// What Wasm plugins and EnvoyFilters leave to ECDS, in front of HTTP and in it.
func (d *dump) extensionNames() []string {
	names := map[string]bool{}
	for _, message := range d.listeners {
		l := message.(*listener.Listener)
		for _, chain := range append(l.FilterChains, l.DefaultFilterChain) {
			for _, filter := range chain.GetFilters() {
				if filter.GetConfigDiscovery() != nil {
					names[filter.Name] = true
				}
				manager := &hcm.HttpConnectionManager{}
				if filter.GetTypedConfig() == nil || filter.GetTypedConfig().UnmarshalTo(manager) != nil {
					continue
				}
				for _, inner := range manager.HttpFilters {
					if inner.GetConfigDiscovery() != nil {
						names[inner.Name] = true
					}
				}
			}
		}
	}
	return keys(names)
}

func (d *dump) routedClusters() []string {
	names := map[string]bool{}
	for _, message := range d.routes {
		r := message.(*route.RouteConfiguration)
		names[r.Name] = true
		for _, host := range r.VirtualHosts {
			for _, entry := range host.Routes {
				action := entry.GetRoute()
				if action.GetCluster() != "" {
					names[action.GetCluster()] = true
				}
				for _, weighted := range action.GetWeightedClusters().GetClusters() {
					names[weighted.Name] = true
				}
				for _, mirror := range action.GetRequestMirrorPolicies() {
					names[mirror.Cluster] = true
				}
			}
		}
	}
	return keys(names)
}

func keys(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	return list
}

func (d *dump) json() (map[string][]json.RawMessage, error) {
	lists := map[string][]json.RawMessage{}
	for kind, messages := range map[string]map[string]proto.Message{
		"clusters": d.clusters, "endpoints": d.endpoints, "listeners": d.listeners, "routes": d.routes,
		"extensions": d.extensions,
	} {
		texts := map[string]json.RawMessage{}
		for name, message := range messages {
			text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
			if err != nil {
				return nil, err
			}
			texts[name] = text
		}
		if len(texts) > 0 {
			lists[kind] = sorted(texts)
		}
	}
	return lists, nil
}
