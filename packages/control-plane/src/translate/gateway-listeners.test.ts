import { LISTENER_TYPE_URL, type Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf } from '../testing/mesh.ts';
import { knownSuites } from './cipher-suites.ts';
import { translate } from './translate.ts';

const ROUTER = proxyNodeOf({
  id: 'router~10.0.0.2~gw.istio-system~istio-system.svc.cluster.local',
  metadata: { NAMESPACE: 'istio-system', LABELS: { istio: 'ingressgateway' }, INSTANCE_IPS: '10.0.0.2' },
  locality: { region: '', zone: '', subZone: '' },
});
const TLS = 'tls: { mode: SIMPLE, credentialName: c }';
const server = (name: string, protocol: string, more = ''): string =>
  `{ port: { number: 8443, name: ${name}, protocol: ${protocol} }, hosts: [${name}.example.com]${more === '' ? '' : `, ${more}`} }`;

/** What of each chain of the port tells it apart. */
function chainsOf(mesh: object, ...servers: string[]): { readonly filters: string[]; readonly chains: string[] } {
  const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, servers: [${servers.join(', ')}] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge, namespace: istio-system }
spec: { hosts: ["*.example.com"], gateways: [edge], tcp: [{ route: [{ destination: { host: web } }] }] }
`;
  const [listener] = translate(LISTENER_TYPE_URL, ROUTER, pushOf(gateway, [], mesh), []);
  const { filterChains, listenerFilters } = listener!.message as Listener;
  return {
    filters: listenerFilters.map(({ name }) => name),
    chains: filterChains.map(({ filterChainMatch, filters }) =>
      [...(filterChainMatch?.serverNames ?? []), filters.at(-1)!.name.split('.').at(-1)].join(' '),
    ),
  };
}

describe('cipher suites', () => {
  it('are those that an Envoy knows, each once, and expressions', () => {
    const known = 'ECDHE-RSA-AES256-GCM-SHA384';
    expect(knownSuites([known, 'NO-SUCH-SUITE', known, 'ALL', '-AES128-SHA'])).toEqual([known, 'ALL', '-AES128-SHA']);
  });
});

describe('a port of a gateway', () => {
  it.each([
    [
      'HTTP behind TLS',
      [server('a', 'HTTPS', TLS), server('b', 'HTTP')],
      ['a.example.com http_connection_manager', 'http_connection_manager'],
    ],
    [
      'one manager for all HTTP behind TLS, and no TLS behind HTTP',
      [server('a', 'HTTPS', TLS), server('b', 'HTTP'), server('c', 'GRPC'), server('d', 'HTTPS', TLS)],
      ['a.example.com http_connection_manager', 'http_connection_manager'],
    ],
    [
      'TCP behind TLS, once',
      [server('a', 'HTTPS', TLS), server('b', 'TCP'), server('c', 'TCP')],
      ['a.example.com http_connection_manager', 'tcp_proxy'],
    ],
    ['no TLS behind HTTP', [server('a', 'HTTP'), server('b', 'HTTPS', TLS)], ['http_connection_manager']],
  ])('carries %s', (_what, servers, chains) => {
    expect(chainsOf({}, ...servers).chains).toEqual(chains);
  });

  it('reads the PROXY protocol before anything else, where gatewayTopology says so', () => {
    const topology = { defaultConfig: { gatewayTopology: { proxyProtocol: {} } } };
    const names = ['envoy.filters.listener.proxy_protocol', 'envoy.filters.listener.tls_inspector'];
    expect(chainsOf(topology, server('a', 'HTTPS', TLS)).filters).toEqual(names);
    expect(chainsOf(topology, server('a', 'HTTP')).filters).toEqual(names.slice(0, 1));
    expect(chainsOf({}, server('a', 'HTTP')).filters).toEqual([]);
  });
});
