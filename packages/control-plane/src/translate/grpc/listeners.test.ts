import { HttpConnectionManager, type Listener, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { grpcNode } from '../../testing/grpc-node.ts';
import { pushOf, service } from '../../testing/mesh.ts';
import { grpcListeners } from './listeners.ts';

const push = pushOf(service('web') + service('cart', { namespace: 'shop', port: 9000 }) + service('users'));
const namesOf = (asked: readonly string[]): string[] => grpcListeners(grpcNode(), push, asked).map(({ name }) => name);

describe('listeners of a gRPC client', () => {
  it.each([
    [['users.default.svc.cluster.local:80'], ['users.default.svc.cluster.local:80']],
    [['users:80'], ['users:80']],
    [['cart.shop:9000'], ['cart.shop:9000']],
    [['cart.shop.svc:9000'], ['cart.shop.svc:9000']],
    [['users'], ['users:80']],
    [['users:81'], []],
    [['cart:9000'], []], // In another namespace.
    [['nobody:80'], []],
  ])('%j is answered with %j', (asked, answered) => {
    expect(namesOf(asked)).toEqual(answered);
  });

  it('are those of every port in scope when nothing is named', () => {
    expect(namesOf([]).sort()).toEqual([
      'cart.shop.svc.cluster.local:9000',
      'users.default.svc.cluster.local:80',
      'web.default.svc.cluster.local:80',
    ]);
  });

  it('name the routes of the service by its full name, and have faults and the router only', () => {
    const [resource] = grpcListeners(grpcNode(), push, ['users:80']);
    const manager = unpackAny(HttpConnectionManager, (resource!.message as Listener).apiListener!.apiListener!);
    expect(manager.routeSpecifier).toMatchObject({ value: { routeConfigName: 'outbound|80||users.default.svc.cluster.local' } });
    expect(manager.httpFilters.map(({ name }) => name)).toEqual(['envoy.filters.http.fault', 'envoy.filters.http.router']);
  });
});

const inbound = (port: number, labels = {}, yaml = ''): Listener | undefined => {
  const node = grpcNode('', { labels });
  const [resource] = grpcListeners(node, pushOf(service('web') + yaml), [`xds.istio.io/grpc/lds/inbound/10.0.0.1:${port}`]);
  return resource?.message as Listener | undefined;
};
const peerAuthentication = (mode: string): string =>
  `---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: p, namespace: default }\nspec: { mtls: { mode: ${mode} } }\n`;

describe('the listener of a gRPC server', () => {
  it('exists for the ports that a Service of the workload names', () => {
    expect(inbound(80)?.name).toBe('xds.istio.io/grpc/lds/inbound/10.0.0.1:80');
    expect(inbound(81)).toBeUndefined();
  });

  it.each([
    ['STRICT', {}, 'inbound-mtls'],
    ['STRICT', { 'security.istio.io/tlsMode': 'istio' }, 'inbound-mtls'],
    ['PERMISSIVE', {}, 'inbound-plaintext'],
    ['PERMISSIVE', { 'security.istio.io/tlsMode': 'istio' }, 'inbound-mtls'],
    ['DISABLE', { 'security.istio.io/tlsMode': 'istio' }, 'inbound-plaintext'],
  ])('takes, under %s with labels %j, %s', (mode, labels, chain) => {
    const listener = inbound(80, labels, peerAuthentication(mode));
    expect(listener?.filterChains.map(({ name }) => name)).toEqual([chain]);
    expect(listener?.filterChains[0]?.transportSocket !== undefined).toBe(chain === 'inbound-mtls');
  });

  it('says which of both it takes under PERMISSIVE', () => {
    const notes: string[] = [];
    grpcListeners(grpcNode(), pushOf(service('web')), ['xds.istio.io/grpc/lds/inbound/[::]:80'], (_, text) => notes.push(text));
    expect(notes).toEqual(['PeerAuthentication PERMISSIVE: a gRPC server takes one of both; it takes plaintext only']);
  });
});
