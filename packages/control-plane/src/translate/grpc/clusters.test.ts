import { type Cluster, type ClusterLoadAssignment, cluster_LbPolicyToJSON, UpstreamTlsContext, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { grpcNode } from '../../testing/grpc-node.ts';
import { instance, pushOf, service } from '../../testing/mesh.ts';
import { grpcClusters } from './clusters.ts';
import { grpcEndpoints } from './endpoints.ts';

const NAME = 'outbound|80||web.default.svc.cluster.local';
const rule = (policy: string): string =>
  `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: web, namespace: default }\nspec: { host: web, trafficPolicy: ${policy}, subsets: [{ name: v1, labels: { version: v1 } }] }\n`;

function clusterOf(policy: string, library = '', version = '1.85.0') {
  const push = pushOf(service('web') + rule(policy), [instance('web', '10.0.0.5'), instance('web', '10.0.0.6')]);
  const notes: string[] = [];
  const node = grpcNode(library, { version });
  const [resource] = grpcClusters(node, push, [NAME], (_, text) => notes.push(text));
  const [endpoints] = grpcEndpoints(node, push, [NAME]);
  return { cluster: resource!.message as Cluster, endpoints: (endpoints!.message as ClusterLoadAssignment).endpoints, notes };
}

const LEAST = '{ loadBalancer: { simple: LEAST_REQUEST } }';
const MAGLEV = '{ loadBalancer: { consistentHash: { httpHeaderName: x, maglev: {} } } }';
const RING = '{ loadBalancer: { consistentHash: { httpHeaderName: x } } }';

describe('clusters of a gRPC client', () => {
  it.each([
    ['{}', '', '', 'ROUND_ROBIN'],
    ['{ loadBalancer: { simple: RANDOM } }', '', '', 'ROUND_ROBIN'],
    ['{ loadBalancer: { simple: LEAST_CONN } }', '', '', 'ROUND_ROBIN'],
    [LEAST, '', '', 'LEAST_REQUEST'],
    [LEAST, 'gRPC Go', '1.85.0', 'LEAST_REQUEST'],
    [LEAST, 'gRPC Go', '1.60.1', 'ROUND_ROBIN'],
    [LEAST, 'gRPC Node Pure JS', '1.14.1', 'ROUND_ROBIN'],
    [LEAST, 'gRPC C-core Linux', '1.60', 'ROUND_ROBIN'],
    [MAGLEV, '', '', 'MAGLEV'],
    [MAGLEV, 'gRPC Go', '1.85.0', 'RING_HASH'],
    [RING, 'gRPC Node Pure JS', '1.14.1', 'RING_HASH'],
  ])('with %s, for "%s" %s, have %s', (policy, library, version, balancer) => {
    expect(cluster_LbPolicyToJSON(clusterOf(policy, library, version).cluster.lbPolicy)).toBe(balancer);
  });

  it('say that the balancer is another one', () => {
    expect(clusterOf(LEAST, 'gRPC Node Pure JS').notes).toEqual(['loadBalancer: the client has no LEAST_REQUEST; it gets ROUND_ROBIN']);
    expect(clusterOf(LEAST, 'gRPC Go').notes).toEqual([]);
  });

  it('expect the identity of the service, with the certificates of the bootstrap', () => {
    const { cluster } = clusterOf('{ tls: { mode: ISTIO_MUTUAL } }');
    const { commonTlsContext } = unpackAny(UpstreamTlsContext, cluster.transportSocket!.configType!.value);
    expect(commonTlsContext?.tlsCertificateProviderInstance?.instanceName).toBe('default');
    expect(JSON.stringify(commonTlsContext?.validationContextType)).toContain('"spiffe://cluster.local/ns/default/sa/web"');
  });

  it('have no endpoints where TLS is to be originated: nothing is called in plaintext', () => {
    const { endpoints, notes } = clusterOf('{ tls: { mode: SIMPLE } }');
    expect(endpoints).toEqual([]);
    expect(notes.join()).toContain('tls.mode SIMPLE');
    expect(clusterOf('{}').endpoints).toHaveLength(1);
  });

  it('do not exist for a subset or a service that does not', () => {
    const push = pushOf(service('web') + rule('{}'));
    const names = [
      NAME,
      'outbound|80|v1|web.default.svc.cluster.local',
      'outbound|80|v9|web.default.svc.cluster.local',
      'outbound|81||web',
      'x',
    ];
    expect(grpcClusters(grpcNode(), push, names).map(({ name }) => name)).toEqual(names.slice(0, 2));
  });
});

describe('endpoints of a gRPC client', () => {
  it('name an address once, and no host', () => {
    const yaml = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: default }
spec:
  hosts: [out.example]
  resolution: STATIC
  ports: [{ number: 80, name: grpc, protocol: GRPC }]
  endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.1 }, { address: 10.0.0.2 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: named, namespace: default }
spec:
  hosts: [named.example]
  resolution: DNS
  ports: [{ number: 80, name: grpc, protocol: GRPC }]
  endpoints: [{ address: one.example }]
`;
    const lists = grpcEndpoints(grpcNode(), pushOf(yaml), ['outbound|80||out.example', 'outbound|80||named.example']);
    const counts = lists.map(
      ({ message }) => (message as ClusterLoadAssignment).endpoints.flatMap(({ lbEndpoints }) => lbEndpoints).length,
    );
    expect(counts).toEqual([2, 0]);
  });
});
