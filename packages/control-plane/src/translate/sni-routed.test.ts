import {
  CLUSTER_TYPE_URL,
  type Cluster,
  type ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  type Listener,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf, service } from '../testing/mesh.ts';
import { translate } from './translate.ts';

const GATEWAY = proxyNodeOf({
  id: 'router~10.0.0.2~ew.istio-system~istio-system.svc.cluster.local',
  metadata: { NAMESPACE: 'istio-system', LABELS: { istio: 'eastwestgateway' } },
});
const eastWest = (hosts = '["*.local"]'): string => `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ew, namespace: istio-system }
spec: { selector: { istio: eastwestgateway }, servers: [{ port: { number: 15443, name: tls, protocol: TLS }, tls: { mode: AUTO_PASSTHROUGH }, hosts: ${hosts} }] }
`;
const SUBSET = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: default }
spec: { host: web, trafficPolicy: { tls: { mode: ISTIO_MUTUAL }, connectionPool: { tcp: { idleTimeout: 5s } } }, subsets: [{ name: v1, labels: { version: v1 } }] }
`;
const entry = (name: string, address: string, more: string): string => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default, labels: { app: web, version: v1 } }
spec: { address: ${address}, ${more} }
`;
const EXTERNAL = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: default }
spec: { hosts: [out.local], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: 443, name: tls, protocol: TLS }], endpoints: [{ address: 1.2.3.4 }] }
`;
/** A Service of its own namespace alone. */
const HIDDEN = service('hidden').replace('metadata: {', 'metadata: { annotations: { networking.istio.io/exportTo: "." },');

const NAME = 'outbound_.80_._.web.default.svc.cluster.local';
const SUBSET_NAME = 'outbound_.80_.v1_.web.default.svc.cluster.local';

function chainsOf(yaml: string): Listener['filterChains'] {
  const [listener] = translate(LISTENER_TYPE_URL, GATEWAY, pushOf(yaml), []);
  return (listener?.message as Listener | undefined)?.filterChains ?? [];
}

const namesOf = (yaml: string): string[] => chainsOf(yaml).flatMap(({ filterChainMatch }) => filterChainMatch!.serverNames);

describe('a server with AUTO_PASSTHROUGH', () => {
  it('has a chain for the server name of every port and subset, for the names of the mesh in ALPN alone', () => {
    const chains = chainsOf(service('web') + SUBSET + eastWest());
    expect(chains.map(({ filterChainMatch: match }) => [match!.serverNames, match!.applicationProtocols])).toEqual(
      [NAME, SUBSET_NAME].map((name) => [[name], ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']]),
    );
    expect(chains.flatMap(({ transportSocket }) => transportSocket ?? [])).toEqual([]);
  });

  it('leads to services that its hosts name and its namespace may see, and to none outside the mesh', () => {
    const yaml = service('web') + service('cart') + HIDDEN + EXTERNAL;
    expect(namesOf(yaml + eastWest())).toEqual([NAME.replace('web', 'cart'), NAME]);
    expect(namesOf(yaml + eastWest('["*/cart.default.svc.cluster.local"]'))).toEqual([NAME.replace('web', 'cart')]);
    expect(namesOf(yaml + eastWest('["*.example.com"]'))).toEqual([]);
  });

  it('has clusters of its own for them, without TLS of the gateway', () => {
    const clusters = (yaml: string): Cluster[] =>
      translate(CLUSTER_TYPE_URL, GATEWAY, pushOf(yaml), []).map(({ message }) => message as Cluster);
    const found = clusters(service('web') + SUBSET + EXTERNAL + eastWest()).filter(({ name }) => name.startsWith('outbound_.'));
    expect(found.map(({ name }) => name)).toEqual([NAME, SUBSET_NAME]);
    expect(
      found.flatMap(({ transportSocket, transportSocketMatches }) => [...transportSocketMatches, transportSocket ?? []].flat()),
    ).toEqual([]);
    expect(clusters(service('web') + SUBSET).filter(({ name }) => name.startsWith('outbound_.'))).toEqual([]);
  });

  it('has no clusters for subsets of a host that is looked up when it is called (Istio: applyDestinationRule)', () => {
    const wildcard = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: any, namespace: default }
spec: { hosts: ["*.example.com"], location: MESH_INTERNAL, resolution: DYNAMIC_DNS, ports: [{ number: 443, name: tls, protocol: TLS }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: any, namespace: default }
spec: { host: "*.example.com", subsets: [{ name: v1, labels: { version: v1 } }] }
`;
    const names = translate(CLUSTER_TYPE_URL, GATEWAY, pushOf(wildcard + eastWest()), []).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('outbound_.'))).toEqual(['outbound_.443_._.*.example.com']);
  });

  it('hands connections to endpoints that speak mTLS, and to no other', () => {
    const yaml =
      service('web') +
      entry('a', '10.0.0.7', 'serviceAccount: web, locality: here') +
      entry('b', '10.0.0.8', 'locality: here') +
      entry('c', '10.0.0.9', 'locality: there') +
      eastWest();
    const [byName, plain] = translate(ENDPOINT_TYPE_URL, GATEWAY, pushOf(yaml), [NAME, NAME.replaceAll('_.', '|')]).map(({ message }) =>
      (message as ClusterLoadAssignment).endpoints.map(({ lbEndpoints, loadBalancingWeight }) => [lbEndpoints.length, loadBalancingWeight]),
    );
    expect(byName).toEqual([
      [1, 1],
      [0, undefined],
    ]);
    expect(plain).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });
});
