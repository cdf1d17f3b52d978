import { describe, expect, it } from 'vitest';
import type { Json } from './json.ts';
import { chainMatchText, destinationText } from './listener-text.ts';
import { domainsText, matchText } from './route-text.ts';
import { TABLES, wantedRows } from './tables.ts';

const madeOf = (kind: string, name: string, file = 'mesh/reviews.yaml', line = 7): Json => ({
  filter_metadata: { ripstop: { kind, name, namespace: 'shop', file, line } },
});
const cluster = (name: string, type = 'EDS', metadata: Json = {}): Json => ({ name, type, metadata });
const rows = (kind: string, resource: Json, wanted: Json = {}): readonly (readonly string[])[] =>
  wantedRows(TABLES[kind]!, resource, wanted);
const http = (config: Json): Json => ({ filters: [{ typed_config: { '@type': 'x.v3.HttpConnectionManager', ...config } }] });
const tcp = (config: Json): Json => ({ filters: [{ typed_config: { '@type': 'x.v3.TcpProxy', ...config } }] });

describe('tables of proxy-config', () => {
  it('list a cluster with the DestinationRule that it is made of, with file and line', () => {
    const reviews = cluster('outbound|9080|v2|reviews.shop.svc.cluster.local', 'EDS', madeOf('DestinationRule', 'reviews'));
    expect(rows('cluster', reviews)).toEqual([
      ['reviews.shop.svc.cluster.local', '9080', 'v2', 'outbound', 'EDS', 'reviews.shop (mesh/reviews.yaml:7)'],
    ]);
    expect(rows('cluster', cluster('BlackHoleCluster', 'STATIC', madeOf('Service', 'x')))).toEqual([
      ['BlackHoleCluster', '-', '-', '-', 'STATIC', ''],
    ]);
  });

  it('list each route with its match and its VirtualService, and 404 for a host without one', () => {
    const routes = {
      name: '9080',
      virtual_hosts: [
        {
          name: 'reviews:9080',
          domains: ['reviews', 'reviews.', 'reviews:9080', 'reviews.shop', 'reviews.shop.svc'],
          routes: [{ match: { path_separated_prefix: '/r' }, metadata: madeOf('VirtualService', 'reviews') }, { match: { prefix: '/' } }],
        },
        { name: 'block', domains: ['*'] },
      ],
    };
    expect(rows('route', routes)).toEqual([
      ['9080', 'reviews:9080', 'reviews, reviews.shop + 1 more...', 'PathPrefix:/r', 'reviews.shop (mesh/reviews.yaml:7)'],
      ['9080', 'reviews:9080', 'reviews, reviews.shop + 1 more...', '/*', ''],
      ['9080', 'block', '*', '/*', '404'],
    ]);
  });

  it('list each filter chain of a listener, the default one last', () => {
    const listener = {
      address: { socket_address: { address: '0.0.0.0', port_value: 15006 } },
      filter_chains: [
        {
          filter_chain_match: {
            transport_protocol: 'tls',
            destination_port: 9080,
            application_protocols: ['istio-peer-exchange', 'istio'],
          },
          ...http({ route_config: { virtual_hosts: [{ domains: ['*'], routes: [{ match: { prefix: '/' } }] }] } }),
        },
      ],
      default_filter_chain: tcp({ cluster: 'PassthroughCluster' }),
    };
    expect(rows('listener', listener)).toEqual([
      ['0.0.0.0', '15006', 'Trans: tls; App: TCP TLS; Addr: *:9080', 'Inline Route: /*'],
      ['0.0.0.0', '15006', 'ALL', 'PassthroughCluster'],
    ]);
  });

  it('list endpoints, those of sockets in the file system, too', () => {
    const entry = (address: Json, health?: string): Json => ({
      endpoint: { address },
      ...(health === undefined ? {} : { health_status: health }),
    });
    const assignment = {
      cluster_name: 'outbound|80||web',
      endpoints: [
        {
          lb_endpoints: [
            entry({ socket_address: { address: '10.0.0.1', port_value: 80 } }),
            entry({ pipe: { path: '/run/s' } }, 'DRAINING'),
          ],
        },
      ],
    };
    expect(rows('endpoint', assignment)).toEqual([
      ['10.0.0.1:80', 'HEALTHY', 'outbound|80||web'],
      ['/run/s', 'DRAINING', 'outbound|80||web'],
    ]);
    for (const wanted of [{ port: '80' }, { address: '10.0.0.1' }, { status: 'healthy' }])
      expect(rows('endpoint', assignment, wanted)).toHaveLength(1);
    for (const wanted of [{ port: '8' }, { address: '10.0.0' }, { cluster: 'web' }])
      expect(rows('endpoint', assignment, wanted)).toEqual([]);
  });

  it.each<[Json, number]>([
    [{ fqdn: 'reviews' }, 1],
    [{ port: '9080', direction: 'OUTBOUND', subset: 'v' }, 1],
    [{ port: '908' }, 0],
    [{ direction: 'inbound' }, 0],
  ])('leave the clusters that are asked for: %o', (wanted, count) => {
    expect(rows('cluster', cluster('outbound|9080|v2|reviews.shop.svc.cluster.local'), wanted)).toHaveLength(count);
  });
});

describe('words of proxy-config', () => {
  it.each<[Json, string]>([
    [{}, 'ALL'],
    [{ server_names: ['a.com', 'b.com'] }, 'SNI: a.com,b.com'],
    [{ application_protocols: ['http/1.1', 'h2c'], transport_protocol: 'raw_buffer' }, 'Trans: raw_buffer; App: HTTP'],
    [{ application_protocols: ['h3'] }, 'App: h3'],
    [{ prefix_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }], destination_port: 80 }, 'Addr: 10.0.0.0/8:80'],
  ])('say which connections a chain takes: %o is %s', (match, text) => {
    expect(chainMatchText(match)).toBe(text);
  });

  it.each<[Json, string]>([
    [http({ rds: { route_config_name: '9080' } }), 'Route: 9080'],
    [http({}), 'HTTP'],
    [tcp({ cluster: 'outbound|3306||db' }), 'Cluster: outbound|3306||db'],
    [
      tcp({
        weighted_clusters: {
          clusters: [
            { name: 'a', weight: 9 },
            { name: 'b', weight: 1 },
          ],
        },
      }),
      'Cluster: a (9), b (1)',
    ],
    [{}, 'Non-HTTP/Non-TCP'],
  ])('say where they go: %o is %s', (chain, text) => {
    expect(destinationText(chain)).toBe(text);
  });

  it('say what a route matches, and its domains', () => {
    expect(['/login', '/api*', 'regex /v[0-9]', ''].map(String)).toEqual(
      [{ path: '/login' }, { prefix: '/api' }, { safe_regex: { regex: '/v[0-9]' } }, {}].map(matchText),
    );
    expect([domainsText(['*']), domainsText([]), domainsText(['a', 'a:80'])]).toEqual(['*', '', 'a']);
  });
});
