import { CLUSTER_TYPE_URL, type Cluster, ROUTE_TYPE_URL, type RouteConfiguration, type VirtualHost } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { grpcNode } from '../testing/grpc-node.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from './translate.ts';

/* Istio's rules of names and precedence, one by one; docs/design/rules-istio.md lists them with the others. */

const NETWORKING = 'networking.istio.io/v1';
const doc = (kind: string, name: string, spec: object, { namespace = 'default', at = 1, group = NETWORKING } = {}): string =>
  `---\n${JSON.stringify({ apiVersion: group, kind, metadata: { name, namespace, creationTimestamp: `2020-01-0${at}T00:00:00Z` }, spec })}\n`;
const rule = (name: string, hosts: readonly string[], cluster: string, more: object = {}, meta: object = {}): string =>
  doc('VirtualService', name, { hosts, http: [{ route: [{ destination: { host: cluster } }] }], ...more }, meta);

function vhosts(yaml: string, port: string, node: ProxyNode = sidecar()): VirtualHost[] {
  const [found] = translate(ROUTE_TYPE_URL, node, pushOf(yaml), [port]);
  return (found!.message as RouteConfiguration).virtualHosts;
}
const domains = (yaml: string, name: string, node?: ProxyNode): readonly string[] =>
  vhosts(yaml, '80', node).find((host) => host.name === `${name}:80`)?.domains ?? [];
function targets(yaml: string, name: string, node?: ProxyNode, port = '80'): string[] {
  const host = vhosts(yaml, port, node).find((each) => each.name === `${name}:${port}`);
  return (host?.routes ?? []).map(({ action }) => {
    const to = action?.$case === 'route' ? action.value.clusterSpecifier : undefined;
    return to?.$case === 'cluster' ? to.value : (action?.$case ?? '');
  });
}
const clusters = (yaml: string, node: ProxyNode = sidecar()): string[] =>
  translate(CLUSTER_TYPE_URL, node, pushOf(yaml), []).map(({ name }) => name);

const WEB = 'web.default.svc.cluster.local';
const CART = 'cart.default.svc.cluster.local';

describe('names', () => {
  it('of clusters are direction, port, subset and host; there are three that lead nowhere in particular', () => {
    const subsets = doc('DestinationRule', 'web', { host: 'web', subsets: [{ name: 'v1', labels: { version: 'v1' } }] });
    expect(clusters(service('web') + subsets, sidecar('web-1', 'default', { LABELS: { app: 'web' } })).sort()).toEqual([
      'BlackHoleCluster',
      'InboundPassthroughCluster',
      'PassthroughCluster',
      'inbound|80||',
      `outbound|80|v1|${WEB}`,
      `outbound|80||${WEB}`,
    ]);
  });

  it('without a dot are of the namespace of their document; others are full', () => {
    const shop = service('web', { namespace: 'shop' });
    expect(targets(service('web') + shop + rule('a', ['web'], 'cart', {}, { namespace: 'shop' }), 'web.shop.svc.cluster.local')).toEqual([
      'outbound|80||cart.shop.svc.cluster.local',
    ]);
    expect(targets(service('web') + rule('a', ['web'], 'cart.other'), WEB)).toEqual(['outbound|80||cart.other']);
  });
});

describe('domains of a virtual host', () => {
  const ip = (name: string, clusterIP: string, namespace = 'default'): string =>
    doc('Service', name, { clusterIP, ports: [{ name: 'http', port: 80 }] }, { namespace, group: 'v1' });

  it('are five names and the address for a client of the namespace, the short one left out for others', () => {
    expect(domains(ip('web', '10.9.0.1'), WEB)).toEqual([WEB, `${WEB}.`, 'web', 'web.default.svc', 'web.default', '10.9.0.1']);
    expect(domains(ip('web', '10.9.0.1'), WEB, sidecar('a', 'shop'))).toEqual([
      WEB,
      `${WEB}.`,
      'web.default',
      'web.default.svc',
      '10.9.0.1',
    ]);
  });

  it('of a ServiceEntry are the host and its addresses', () => {
    const entry = doc('ServiceEntry', 'a', {
      hosts: ['api.example.com'],
      addresses: ['10.9.0.9'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
    });
    expect(domains(entry, 'api.example.com')).toEqual(['api.example.com', 'api.example.com.', '10.9.0.9']);
  });

  it('of a headless service are the five names, and the five of its instances', () => {
    const five = [WEB, `${WEB}.`, 'web', 'web.default.svc', 'web.default'];
    expect(domains(ip('web', 'None'), WEB)).toEqual([...five, ...five.map((name) => `*.${name}`)]);
  });

  it('have the port as well for gRPC clients', () => {
    const [found] = translate(ROUTE_TYPE_URL, grpcNode(''), pushOf(ip('web', '10.9.0.1')), [`outbound|80||${WEB}`]);
    expect((found!.message as RouteConfiguration).virtualHosts[0]!.domains.slice(0, 2)).toEqual([WEB, `${WEB}:80`]);
  });
});

describe('virtual hosts', () => {
  it('are called host and port, sorted, with what nobody owns at the end', () => {
    expect(vhosts(service('web') + service('cart'), '80').map(({ name }) => name)).toEqual([`${CART}:80`, `${WEB}:80`, 'allow_any']);
    const only = pushOf(service('web'), [], { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } });
    const [closed] = translate(ROUTE_TYPE_URL, sidecar(), only, ['80']);
    expect((closed!.message as RouteConfiguration).virtualHosts.at(-1)!.name).toBe('block_all');
  });

  it('of a host that has no service on the port exist on port 80 only, with that one domain', () => {
    const yaml = service('web', { port: 9080 }) + service('cart', { port: 8080 }) + rule('a', ['web', 'nowhere.example.com'], 'cart');
    expect(domains(yaml, WEB)).toEqual([WEB]);
    expect(domains(yaml, 'nowhere.example.com')).toEqual(['nowhere.example.com']);
    expect(vhosts(yaml, '8080').map(({ name }) => name)).toEqual([`${CART}:8080`, 'allow_any']);
  });

  it('take the rule with the most specific host: exact, then the longest end', () => {
    const entry = doc('ServiceEntry', 'a', {
      hosts: ['a.b.example.com', 'c.example.com'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
    });
    const rules = rule('any', ['*.example.com'], 'web') + rule('b', ['*.b.example.com'], 'cart');
    expect(targets(entry + rules, 'a.b.example.com')).toEqual([`outbound|80||${CART}`]);
    expect(targets(entry + rules, 'c.example.com')).toEqual([`outbound|80||${WEB}`]);
    expect(targets(entry + rules + rule('exact', ['a.b.example.com'], 'pay'), 'a.b.example.com')).toEqual([
      'outbound|80||pay.default.svc.cluster.local',
    ]);
  });
});

describe('of several VirtualServices for a host', () => {
  const host = [WEB];

  it('the oldest holds alone; by name when they are as old', () => {
    const both = service('web') + rule('b', host, 'old', {}, { at: 1 }) + rule('a', host, 'new', {}, { at: 2 });
    expect(targets(both, WEB)).toEqual(['outbound|80||old.default.svc.cluster.local']);
    expect(targets(service('web') + rule('b', host, 'b') + rule('a', host, 'a'), WEB)).toEqual([
      'outbound|80||a.default.svc.cluster.local',
    ]);
  });

  it('a private one of the client’s namespace comes before older public ones; a private one of others does not count', () => {
    const open = rule('open', host, 'open', {}, { at: 1 });
    const mine = rule('mine', host, 'mine', { exportTo: ['.'] }, { at: 5 });
    const theirs = rule('theirs', host, 'theirs', { exportTo: ['.'] }, { at: 1, namespace: 'shop' });
    expect(targets(service('web') + open + mine + theirs, WEB)).toEqual(['outbound|80||mine.default.svc.cluster.local']);
    expect(targets(service('web') + theirs, WEB)).toEqual([`outbound|80||${WEB}`]);
  });

  it('routes behind one that takes everything are left out', () => {
    const to = (name: string, match?: object) => ({
      ...(match === undefined ? {} : { match: [match] }),
      route: [{ destination: { host: name } }],
    });
    const http = [to('a', { uri: { prefix: '/a' } }), to('b'), to('c', { uri: { prefix: '/c' } })];
    expect(targets(service('web') + rule('r', host, '', { http }), WEB).map((name) => name.split('|')[3]!.split('.')[0])).toEqual([
      'a',
      'b',
    ]);
  });

  it('one without hosts is a delegate, and nothing by itself', () => {
    const leaf = doc('VirtualService', 'leaf', { http: [{ route: [{ destination: { host: 'leaf' } }] }] });
    expect(targets(service('web') + leaf, WEB)).toEqual([`outbound|80||${WEB}`]);
    const root = rule('root', host, '', { http: [{ match: [{ uri: { prefix: '/x' } }], delegate: { name: 'leaf' } }] });
    expect(targets(service('web') + leaf + root, WEB)).toEqual(['outbound|80||leaf.default.svc.cluster.local']);
  });

  it('a delegate that is not there, or not exported to the root, drops that route only', () => {
    const leaf = doc(
      'VirtualService',
      'leaf',
      { exportTo: ['.'], http: [{ route: [{ destination: { host: 'leaf' } }] }] },
      { namespace: 'shop' },
    );
    const delegating = (name: string, namespace: string) => ({ match: [{ uri: { prefix: `/${name}` } }], delegate: { name, namespace } });
    const http = [delegating('leaf', 'shop'), delegating('nobody', 'default'), { route: [{ destination: { host: 'rest' } }] }];
    expect(targets(service('web') + leaf + rule('root', host, '', { http }), WEB)).toEqual(['outbound|80||rest.default.svc.cluster.local']);
  });

  it('a destination without a port has the port that was called', () => {
    const yaml = service('web', { port: 8080 }) + service('cart', { port: 9999 }) + rule('r', host, 'cart');
    expect(targets(yaml, WEB, undefined, '8080')).toEqual([`outbound|8080||${CART}`]);
  });
});

describe('of several DestinationRules for a host', () => {
  const WORKLOADS = [instance('web', '10.0.0.1')];
  const limit = (connections: number) => ({ trafficPolicy: { connectionPool: { tcp: { maxConnections: connections } } } });
  const dr = (name: string, namespace: string, spec: object, at = 1): string =>
    doc('DestinationRule', name, { host: WEB, ...spec }, { namespace, at });
  function connections(yaml: string, node: ProxyNode = sidecar('a', 'shop'), name = `outbound|80||${WEB}`): number | undefined {
    const found = translate(CLUSTER_TYPE_URL, node, pushOf(service('web') + yaml, WORKLOADS), []).find((each) => each.name === name);
    return (found?.message as Cluster | undefined)?.circuitBreakers?.thresholds[0]?.maxConnections;
  }

  it('the client’s namespace speaks before the service’s, and that before the root namespace', () => {
    const [root, own, mine] = [dr('r', 'istio-system', limit(1)), dr('s', 'default', limit(2)), dr('c', 'shop', limit(3))];
    expect([connections(root), connections(root + own), connections(root + own + mine)]).toEqual([1, 2, 3]);
    expect(connections(root, sidecar('a', 'istio-system'))).toBe(1);
  });

  it('one that is not exported to the client does not count', () => {
    expect(connections(dr('s', 'default', { ...limit(2), exportTo: ['.'] }))).toBe(4_294_967_295);
  });

  it('of one namespace are put together: subsets of both, the policy of the older', () => {
    const yaml =
      dr('a', 'shop', { ...limit(1), subsets: [{ name: 'v1', labels: { version: 'v1' } }] }, 1) +
      dr('b', 'shop', { ...limit(2), subsets: [{ name: 'v2', labels: { version: 'v2' } }] }, 2);
    expect([
      connections(yaml),
      connections(yaml, undefined, `outbound|80|v1|${WEB}`),
      connections(yaml, undefined, `outbound|80|v2|${WEB}`),
    ]).toEqual([1, 1, 1]);
  });

  it('settings of a port replace whole blocks: what they leave out is the default, not the rule’s', () => {
    const pool = { tcp: { maxConnections: 5 }, http: { http2MaxRequests: 6 } };
    const yaml = dr('a', 'shop', {
      trafficPolicy: {
        connectionPool: pool,
        portLevelSettings: [{ port: { number: 80 }, connectionPool: { http: { http2MaxRequests: 7 } } }],
      },
    });
    expect(connections(yaml)).toBe(4_294_967_295);
  });
});
