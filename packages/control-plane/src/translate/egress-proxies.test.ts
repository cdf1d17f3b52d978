import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { service, sidecar } from '../testing/mesh.ts';
import { core, doc, type Told, toldOf } from '../testing/told.ts';

const SERVICES =
  service('reviews') +
  core(
    'Service',
    'db',
    '{ clusterIP: 10.9.0.1, ports: [{ name: http, port: 80 }, { name: grpc, port: 8081 }, { name: tcp, port: 6000 }] }',
  ) +
  doc(
    'VirtualService',
    'db',
    '{ hosts: [db, outside.example], http: [{ match: [{ port: 8081 }], rewrite: { uri: /x }, route: [{ destination: { host: db } }] }, { route: [{ destination: { host: db } }] }] }',
  );
const SOCKET = "{ port: { protocol: HTTP, name: h }, bind: 'unix:///run/a.sock', hosts: ['./*'] }";
const PROXY = "{ port: { number: 3128, protocol: HTTP_PROXY, name: p }, bind: 127.0.0.1, captureMode: NONE, hosts: ['./*'] }";
const REVIEWS = "{ hosts: ['./reviews.default.svc.cluster.local'] }";
const OURS = sidecar('web-1', 'default', { RIPSTOP_VERSION: '1' });

function told(egress: readonly string[], node: ProxyNode = sidecar('web-1', 'default', { INSTANCE_IPS: '10.0.0.1' })): Told {
  return toldOf(SERVICES + doc('Sidecar', 'default', `{ egress: [${egress.join(', ')}] }`), node);
}

/** `<virtual host> <first domains> <clusters>` of a table. */
function hosts(found: Told, table: string): string[] | undefined {
  return found.routes(table)?.virtualHosts.map(({ name, domains, routes }) => {
    const clusters = routes.map(({ action }) =>
      action?.$case === 'route' && action.value.clusterSpecifier?.$case === 'cluster' ? action.value.clusterSpecifier.value : '',
    );
    return `${name} [${domains.slice(0, 2).join(' ')}] ${clusters.join(' ')}`;
  });
}

/* Istio: buildSidecarOutboundListeners, BuildSidecarOutboundVirtualHosts, mergeAllVirtualHosts. */
describe('an egress listener that callers take for a proxy', () => {
  const ALL = [
    'db.default.svc.cluster.local:80 [db.default.svc.cluster.local db.default.svc.cluster.local:80] outbound|80||db.default.svc.cluster.local',
    'db.default.svc.cluster.local:8081 [db.default.svc.cluster.local:8081 db.default.svc.cluster.local.:8081] outbound|8081||db.default.svc.cluster.local',
    'outside.example:80 [outside.example outside.example:80] outbound|80||db.default.svc.cluster.local',
    'outside.example:8081 [outside.example:8081] outbound|8081||db.default.svc.cluster.local',
    'reviews.default.svc.cluster.local:80 [reviews.default.svc.cluster.local reviews.default.svc.cluster.local:80] outbound|80||reviews.default.svc.cluster.local',
    'allow_any [*] PassthroughCluster',
  ];

  it.each([
    ['a Unix socket', SOCKET, 'unix:///run/a.sock', 'unix:///run/a.sock_0', { $case: 'pipe', value: { path: '/run/a.sock' } }],
    [
      'protocol HTTP_PROXY',
      PROXY,
      '3128',
      '127.0.0.1_3128',
      { $case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { $case: 'portValue', value: 3128 } } },
    ],
  ])('%s: has one chain, and routes to every host with its port', (_what, egress, table, name, address) => {
    const found = told([egress, REVIEWS]);
    const listener = found.listener(name);
    expect(listener?.address?.address).toMatchObject(address);
    expect(listener?.bindToPort).toBeUndefined();
    expect(listener?.filterChains.map(({ filterChainMatch }) => filterChainMatch)).toEqual([undefined]);
    expect(hosts(found, table)).toEqual(ALL);
    expect(found.routes(table)?.ignorePortInHostMatching).toBe(false);
    // What it leads to, it leads to alone.
    expect(hosts(found, '80')).toEqual(
      [ALL[4], ALL[5]].map((line) => line!.replace('reviews.default.svc.cluster.local:80]', 'reviews.default.svc.cluster.local.]')),
    );
    expect(found.listener('unix:///run/a.sock_80')).toBeUndefined();
  });

  it('and carries bytes over a Unix socket is left out', () => {
    const found = told(["{ port: { protocol: TCP, name: t }, bind: 'unix:///run/t.sock', hosts: ['./*'] }", REVIEWS]);
    expect(found.listener('unix:///run/t.sock_0')).toBeUndefined();
  });

  it('is not one of a process of ours: it calls whom another listener names', () => {
    const found = told([SOCKET, PROXY, REVIEWS], OURS);
    expect([found.listener('unix:///run/a.sock_0'), found.listener('127.0.0.1_3128')]).toEqual([undefined, undefined]);
    expect(hosts(found, '80')).toEqual([expect.stringMatching(/^reviews/), ALL[5]]);
  });

  it('says whom a process of ours may call where no other listener does', () => {
    const found = told([SOCKET], OURS);
    expect(hosts(found, '80')).toEqual([
      expect.stringMatching(/^db/),
      expect.stringMatching(/^outside/),
      expect.stringMatching(/^reviews/),
      ALL[5],
    ]);
    expect(found.listener('10.9.0.1_6000')).toBeDefined();
  });
});
