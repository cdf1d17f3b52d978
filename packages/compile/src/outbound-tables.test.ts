import { createRouteTable, type HttpConnectionManager, PLAIN_MANAGER, plainForward, type Route, type VirtualHost } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { joinManagers, passthroughManager } from './outbound-tables.ts';

const catchAll = passthroughManager('PassthroughCluster', []);

function hostOf(cluster: string, domains: readonly string[]): VirtualHost {
  const route: Route = {
    name: cluster,
    matches: () => true,
    action: plainForward(cluster),
    filters: [],
    headers: undefined,
    operation: '',
    source: undefined,
  };
  return { name: cluster, domains, routes: [route], includeAttemptCount: false, requireTls: false };
}

/** A listener of one service whose protocol is found out: its table takes every host. */
function ofService(address: string, fqdn: string): HttpConnectionManager {
  return { ...PLAIN_MANAGER, name: `${address}_9090`, routes: createRouteTable(`${fqdn}:9090`, [hostOf(fqdn, ['*'])], true) };
}

function joined(managers: readonly HttpConnectionManager[]): (host: string) => string | undefined {
  const { routes } = joinManagers(managers, { catchAll, namespace: 'web' });
  return (host) => routes.virtualHost(host)?.name;
}

const cart = ofService('10.96.0.4', 'cart.web.svc.cluster.local');
const db = ofService('10.96.0.3', 'db.web.svc.cluster.local');
const reviews = ofService('10.96.0.5', 'reviews.shop.svc.cluster.local');

describe('listeners of one port', () => {
  it('of services are found by every name that an app of their namespace has for them', () => {
    const find = joined([cart, db, reviews]);
    for (const name of ['db', 'db:9090', 'db.web', 'db.web.svc', 'db.web.svc.cluster.local'])
      expect([name, find(name)]).toEqual([name, 'db.web.svc.cluster.local']);
    expect(find('cart')).toBe('cart.web.svc.cluster.local');
    expect(find('reviews.shop')).toBe('reviews.shop.svc.cluster.local');
  });

  it('of services are for no other host, whoever comes first', () => {
    for (const managers of [[cart, db], [db, cart], [cart]]) expect(joined(managers)('other.example')).toBe('allow_any');
    // Of another namespace: its short name is nobody's here.
    expect(joined([cart, reviews])('reviews')).toBe('allow_any');
  });

  it('of a service without routes have none for it', () => {
    const none: HttpConnectionManager = { ...cart, routes: createRouteTable('cart.web.svc.cluster.local:9090', [], true) };
    const { routes } = joinManagers([none], { catchAll, namespace: 'web' });
    expect(routes.virtualHost('cart')?.routes).toEqual([]);
    expect(routes.virtualHost('other.example')?.name).toBe('allow_any');
  });

  it('of services stand behind a shared one, whose last resort it stays', () => {
    const routes = createRouteTable('9090', [hostOf('named', ['api.example']), hostOf('block_all', ['*'])], true);
    const find = joined([cart, { ...PLAIN_MANAGER, name: '0.0.0.0_9090', routes }]);
    expect([find('cart'), find('api.example'), find('other.example')]).toEqual(['cart.web.svc.cluster.local', 'named', 'block_all']);
  });

  it('of services have their names before a shared one that routes them, too: they lead to the service’s address', () => {
    const routes = createRouteTable('9090', [hostOf('a VirtualService of cart.web', ['cart.web'])], true);
    const shared = { ...PLAIN_MANAGER, name: '0.0.0.0_9090', routes };
    for (const managers of [
      [cart, shared],
      [shared, cart],
    ])
      expect(joined(managers)('cart.web')).toBe('cart.web.svc.cluster.local');
    expect(joined([db, shared])('cart.web')).toBe('a VirtualService of cart.web');
  });

  it('that a Sidecar binds to an address of its own take what it says', () => {
    const routes = createRouteTable('127.0.0.1:9090', [hostOf('egress', ['*'])], true);
    const bound: HttpConnectionManager = { ...PLAIN_MANAGER, name: '127.0.0.1_9090', routes };
    expect(joinManagers([bound], { catchAll, namespace: 'web' })).toBe(bound);
    const find = joined([cart, bound]);
    expect([find('cart'), find('other.example')]).toEqual(['cart.web.svc.cluster.local', 'egress']);
  });
});
