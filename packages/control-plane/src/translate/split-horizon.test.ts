import { type ClusterLoadAssignment, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { pushOf, sidecar } from '../testing/mesh.ts';
import { translate } from './translate.ts';

const SERVICE_ENTRY = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web, namespace: default }
spec:
  hosts: [web.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
  - { address: 10.1.0.1, network: net1, serviceAccount: a, locality: here }
  - { address: 10.1.0.2, network: net1, locality: here }
  - { address: 10.2.0.1, network: net2, serviceAccount: a, locality: here, weight: 3 }
  - { address: 10.2.0.2, network: net2, serviceAccount: a, locality: there }
  - { address: 10.2.0.3, network: net2, locality: nowhere }
  - { address: 10.4.0.1, serviceAccount: a, locality: there }
`;
const gateway = (name: string, network: string, more: string, spec: string): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: istio-system, labels: { topology.istio.io/network: ${network}${more} } }
${spec}
`;
const FIRST = gateway(
  'first',
  'net1',
  '',
  'spec: { type: LoadBalancer, ports: [{ name: tls, port: 15443 }] }\nstatus: { loadBalancer: { ingress: [{ ip: 1.1.1.1 }, { hostname: a.example.com }] } }',
);
const SECOND = gateway(
  'second',
  'net2',
  ', networking.istio.io/gatewayPort: "443"',
  'spec: { externalIPs: [2.2.2.2, 2.2.2.1], ports: [{ name: tls, port: 443 }] }',
);
const KUBERNETES = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: remote, namespace: istio-system, labels: { topology.istio.io/network: net2 } }
spec:
  gatewayClassName: istio-remote
  addresses: [{ type: IPAddress, value: 2.2.2.2 }]
  listeners: [{ name: cross, port: 15443, protocol: TLS, tls: { mode: Passthrough } }]
`;

/** `address:port weight` of each endpoint, place by place. */
function seen(yaml: string, network = '', metadata: Readonly<Record<string, unknown>> = {}): string[] {
  const node = sidecar('client-1', 'default', network === '' ? metadata : { NETWORK: network, ...metadata });
  const [assignment] = translate(ENDPOINT_TYPE_URL, node, pushOf(yaml), ['outbound|80||web.local']);
  return (assignment!.message as ClusterLoadAssignment).endpoints.map(({ locality, lbEndpoints }) => {
    const members = lbEndpoints.map(({ hostIdentifier, loadBalancingWeight, metadata }) => {
      const socket = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
      if (socket?.$case !== 'socketAddress') throw new Error('no address');
      const { address, portSpecifier } = socket.value;
      const mtls = metadata?.filterMetadata['envoy.transport_socket_match'] === undefined ? '' : ' mtls';
      return `${address}:${portSpecifier?.value} ${loadBalancingWeight}${mtls}`;
    });
    return `${locality?.region}: ${members.join(', ')}`;
  });
}

const EVERYBODY = [
  'here: 10.1.0.1:80 1 mtls, 10.1.0.2:80 1, 10.2.0.1:80 3 mtls',
  'nowhere: 10.2.0.3:80 1',
  'there: 10.2.0.2:80 1 mtls, 10.4.0.1:80 1 mtls',
];

describe('a mesh of several networks', () => {
  it('is one network while there is no gateway between them', () => {
    expect(seen(SERVICE_ENTRY)).toEqual(EVERYBODY);
    expect(seen(SERVICE_ENTRY, 'net1')).toEqual(EVERYBODY);
    // It does not listen at the port that is meant.
    expect(seen(SERVICE_ENTRY + FIRST.replace('15443', '443'), 'net2')).toEqual(EVERYBODY);
  });

  it('shows each client its own network, and of others their gateways, by mTLS alone', () => {
    expect(seen(SERVICE_ENTRY + FIRST + SECOND, 'net1')).toEqual([
      'here: 10.1.0.1:80 2 mtls, 10.1.0.2:80 2, 2.2.2.1:443 3 mtls, 2.2.2.2:443 3 mtls',
      'nowhere: ',
      'there: 10.4.0.1:80 2 mtls, 2.2.2.1:443 1 mtls, 2.2.2.2:443 1 mtls',
    ]);
    expect(seen(SERVICE_ENTRY + FIRST + SECOND, 'net2')).toEqual([
      'here: 10.2.0.1:80 6 mtls, 1.1.1.1:15443 2 mtls',
      'nowhere: 10.2.0.3:80 2',
      'there: 10.2.0.2:80 2 mtls, 10.4.0.1:80 2 mtls',
    ]);
  });

  it('has no endpoint for a network alone, whose gateway nobody knows: Envoy would refuse the address that istiod leaves empty', () => {
    const far = SERVICE_ENTRY.replace('address: 10.2.0.2, network: net2', 'network: net2');
    expect(seen(far).at(-1)).toBe('there: 10.4.0.1:80 1 mtls');
    expect(seen(far + SECOND, 'net2').at(-1)).toBe('there: 10.4.0.1:80 2 mtls');
    expect(seen(far + SECOND, 'net1').at(-1)).toBe('there: 10.4.0.1:80 2 mtls, 2.2.2.1:443 1 mtls, 2.2.2.2:443 1 mtls');
  });

  it('is reached by the gateway when the client does not say where it is', () => {
    expect(seen(SERVICE_ENTRY + FIRST)[0]).toBe('here: 10.2.0.1:80 3 mtls, 1.1.1.1:15443 1 mtls');
  });

  it('has no gateway for a client of another address family, and nobody behind it (Istio: filterGatewaysByIPFamily)', () => {
    const yaml = SERVICE_ENTRY + FIRST + SECOND.replace('2.2.2.1', "'2001:db8::1'");
    expect(seen(yaml, 'net1')[0]).toBe('here: 10.1.0.1:80 2 mtls, 10.1.0.2:80 2, 2.2.2.2:443 6 mtls');
    expect(seen(yaml, 'net1', { INSTANCE_IPS: '2001:db8::9' })[0]).toBe('here: 10.1.0.1:80 2 mtls, 10.1.0.2:80 2, 2001:db8::1:443 6 mtls');
    expect(seen(SERVICE_ENTRY + SECOND, 'net1', { INSTANCE_IPS: '2001:db8::9' })[0]).toBe('here: 10.1.0.1:80 2 mtls, 10.1.0.2:80 2');
  });

  it('knows nothing of a gateway but its network, wherever the workloads behind it are (Istio: AugmentLabels)', () => {
    const rule = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: default }
spec:
  host: web.local
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 5 }
    loadBalancer: { localityLbSetting: { failoverPriority: [topology.kubernetes.io/region] } }
`;
    const client = sidecar('client-1', 'default', { NETWORK: 'net1', LABELS: { 'istio-locality': 'there' } });
    const [found] = translate(ENDPOINT_TYPE_URL, client, pushOf(SERVICE_ENTRY + FIRST + SECOND + rule), ['outbound|80||web.local']);
    const priorities = (found!.message as ClusterLoadAssignment).endpoints.map(
      ({ locality, priority }) => `${locality?.region} ${priority}`,
    );
    expect(priorities.sort()).toEqual(['here 1', 'there 0', 'there 1']);
  });

  it('may have Gateways of the Gateway API as its gateways', () => {
    expect(seen(SERVICE_ENTRY + KUBERNETES, 'net1')[0]).toBe('here: 10.1.0.1:80 1 mtls, 10.1.0.2:80 1, 2.2.2.2:15443 3 mtls');
  });

  it('takes the network of the root namespace for workloads that name none', () => {
    const pod = `---
apiVersion: v1
kind: Namespace
metadata: { name: istio-system, labels: { topology.istio.io/network: net1 } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: default, labels: { app: web, security.istio.io/tlsMode: istio } }
spec: { containers: [{ ports: [{ containerPort: 80 }] }] }
status: { podIP: 10.1.0.9 }
`;
    const slices = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: default, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 80 }]
endpoints: [{ addresses: [10.1.0.9], targetRef: { kind: Pod, name: web-1, namespace: default } }]
`;
    const addresses = (network: string): string => {
      const node = sidecar('client-1', 'default', { NETWORK: network });
      const [found] = translate(ENDPOINT_TYPE_URL, node, pushOf(FIRST + pod + slices), ['outbound|80||web.default.svc.cluster.local']);
      return JSON.stringify((found!.message as ClusterLoadAssignment).endpoints);
    };
    expect(addresses('net1')).toContain('10.1.0.9');
    expect(addresses('net2')).toContain('1.1.1.1');
  });
});
