import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { PushContext } from '../push/push-context.ts';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import type { SessionRequest, SessionResponse } from './session-messages.ts';
import { ANSWER_MS, WARMING_MS, XdsSession } from './xds-session.ts';

const CART = 'outbound|80||cart.default.svc.cluster.local';
const WEB = 'outbound|80||web.default.svc.cluster.local';
const POOL = (host: string, connections: number): string => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec: { host: ${host}, trafficPolicy: { connectionPool: { tcp: { maxConnections: ${connections} } } } }
`;

/** A session and what it sent, `<kind> +changed -removed` each. */
class Client {
  readonly sent: SessionResponse[] = [];
  readonly refused: string[] = [];
  readonly problems: unknown[] = [];
  readonly scheduler = new FakeScheduler();
  readonly session: XdsSession;

  constructor(push: PushContext, { stateOfTheWorld = false } = {}) {
    this.session = new XdsSession({
      node: sidecar(),
      push,
      scheduler: this.scheduler,
      stateOfTheWorld,
      send: (response) => this.sent.push(response),
      onRefused: (_typeUrl, reason) => this.refused.push(reason),
      onProblem: (_typeUrl, error) => this.problems.push(error),
    });
  }

  ask(typeUrl: string, request: Partial<SessionRequest> = {}): void {
    this.session.request({ typeUrl, subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined, ...request });
  }

  /** Subscribes as a sidecar does and takes everything. */
  start(): this {
    this.ask(CLUSTER_TYPE_URL, { subscribe: ['*'] });
    this.ask(ENDPOINT_TYPE_URL, { subscribe: this.names(this.sent[0]!, 'outbound|') });
    this.ask(LISTENER_TYPE_URL, { subscribe: ['*'] });
    this.ask(ROUTE_TYPE_URL, { subscribe: ['80'] });
    this.takeAll();
    return this;
  }

  names(response: SessionResponse, prefix = ''): string[] {
    return response.changed.map(({ name }) => name).filter((name) => name.startsWith(prefix));
  }

  /** Acknowledges what came, and answers with the log of it. */
  takeAll(): string[] {
    const log: string[] = [];
    for (const { typeUrl, nonce, changed, removed } of this.sent.splice(0)) {
      const kind = typeUrl.split('.').at(-1)!;
      log.push([kind, ...changed.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' '));
      this.ask(typeUrl, { nonce });
    }
    return log;
  }

  async push(push: PushContext): Promise<void> {
    this.session.update(push);
    await this.settle();
  }

  /** Lets a push that waits go on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

describe('an xDS session', () => {
  it('sends of a change only what differs, and is in sync when it was taken', async () => {
    const client = new Client(pushOf(service('web') + service('cart'))).start();
    const next = pushOf(service('web') + service('cart'), [instance('cart', '10.0.0.7')]);
    await client.push(next);
    // The SANs of a cluster are its endpoints' accounts: cart's cluster changes with its first instance.
    expect(client.session.isSynced(next)).toBe(false);
    expect(client.takeAll()).toEqual([`Cluster +${CART}`, `ClusterLoadAssignment +${CART}`]);
    const more = pushOf(service('web') + service('cart'), [instance('cart', '10.0.0.7'), instance('cart', '10.0.0.8')]);
    await client.push(more);
    expect(client.takeAll()).toEqual([`ClusterLoadAssignment +${CART}`]);
    await client.settle();
    expect(client.session.isSynced(more)).toBe(true);
    await client.push(pushOf(service('web') + service('cart'), [instance('cart', '10.0.0.7'), instance('cart', '10.0.0.8')]));
    expect(client.takeAll()).toEqual([]);
  });

  it('has given its client a first set when clusters, endpoints, listeners and routes were sent and answered, taken or not', () => {
    const client = new Client(pushOf(service('web')));
    const asked: [string, string][] = [
      [CLUSTER_TYPE_URL, '*'],
      [LISTENER_TYPE_URL, '*'],
      [ENDPOINT_TYPE_URL, WEB],
      [ROUTE_TYPE_URL, '80'],
    ];
    for (const [typeUrl, name] of asked) {
      client.takeAll();
      expect(client.session.hasFirstSet, typeUrl).toBe(false);
      client.ask(typeUrl, { subscribe: [name] });
    }
    expect(client.session.hasFirstSet).toBe(false);
    const [{ typeUrl, nonce }] = client.sent.splice(0) as [SessionResponse];
    client.ask(typeUrl, { nonce, error: 'no' });
    expect(client.session.hasFirstSet).toBe(true);
  });

  it('sends the endpoints of a changed cluster again, though they are the same', async () => {
    const client = new Client(pushOf(service('web') + service('cart'))).start();
    await client.push(pushOf(service('web') + service('cart') + POOL('cart', 7)));
    expect(client.takeAll()).toEqual([`Cluster +${CART}`, `ClusterLoadAssignment +${CART}`]);
  });

  it('waits with routes and listeners until new clusters and their endpoints are taken', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + service('cart')));
    expect(client.takeAll()).toEqual([`Cluster +${CART}`]);
    await client.settle();
    expect(client.sent).toEqual([]);
    client.ask(ENDPOINT_TYPE_URL, { subscribe: [CART] });
    expect(client.takeAll()).toEqual([`ClusterLoadAssignment +${CART}`]);
    await client.settle();
    expect(client.takeAll()).toEqual(['RouteConfiguration +80']);
    expect(client.scheduler.waiting).toBe(0);
  });

  it('does not wait longer than half a second for a client that never asks', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + service('cart')));
    client.takeAll();
    client.scheduler.advance(WARMING_MS);
    await client.settle();
    expect(client.takeAll()).toEqual(['RouteConfiguration +80']);
  });

  it('does not take back what a client asks for while a push waits', async () => {
    const both = service('web') + service('shop', { port: 8080 });
    const client = new Client(pushOf(both)).start();
    await client.push(pushOf(both + service('cart')));
    client.takeAll();
    client.ask(ROUTE_TYPE_URL, { subscribe: ['8080'] });
    expect(client.takeAll()).toEqual(['RouteConfiguration +8080']);
    client.scheduler.advance(WARMING_MS);
    await client.settle();
    expect(client.takeAll()).toEqual(['RouteConfiguration +80']);
  });

  it('in the state of the world says nothing of a type without what a client asks for meanwhile', async () => {
    const before = service('web') + service('shop', { port: 8080 });
    const client = new Client(pushOf(before), { stateOfTheWorld: true });
    client.ask(CLUSTER_TYPE_URL, { subscribe: [WEB] });
    client.ask(ENDPOINT_TYPE_URL, { subscribe: [WEB] });
    client.ask(CLUSTER_TYPE_URL, { subscribe: [CART] });
    client.takeAll();
    const shop = 'outbound|8080||shop.default.svc.cluster.local';
    // Cart is new, and waited for; a rule changes shop, which is asked for meanwhile.
    await client.push(pushOf(before + service('cart') + POOL('shop', 3)));
    client.takeAll();
    client.ask(CLUSTER_TYPE_URL, { subscribe: [shop] });
    expect(client.takeAll()).toEqual([`Cluster +${shop}`]);
    client.scheduler.advance(WARMING_MS);
    await client.settle();
    expect(client.takeAll()).toEqual([]);
  });

  it('does not send what a client has given up while a push waited', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + service('cart')));
    client.takeAll();
    client.ask(ROUTE_TYPE_URL, { unsubscribe: ['80'] });
    client.scheduler.advance(WARMING_MS);
    await client.settle();
    expect(client.takeAll()).toEqual([]);
  });

  it('does not wait for endpoints of clusters that have none of their own', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(
      pushOf(`${service('web')}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: out, namespace: default }
spec: { hosts: [api.example.com], location: MESH_EXTERNAL, resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }
`),
    );
    expect(client.takeAll()).toEqual(['Cluster +outbound|80||api.example.com']);
    await client.settle();
    expect(client.takeAll()).toEqual(['RouteConfiguration +80']);
  });

  it('removes a cluster after the routes that pointed to it', async () => {
    const client = new Client(pushOf(service('web') + service('cart'))).start();
    await client.push(pushOf(service('web')));
    expect(client.takeAll()).toEqual(['RouteConfiguration +80', `Cluster -${CART}`]);
  });

  it('leaves a cluster its endpoints until the routes that pointed to it are gone', async () => {
    const client = new Client(
      pushOf(service('web') + service('cart'), [instance('cart', '10.0.0.7'), instance('web', '10.0.0.8')]),
    ).start();
    await client.push(pushOf(service('web'), [instance('cart', '10.0.0.7'), instance('web', '10.0.0.9')]));
    expect(client.takeAll()).toEqual([`ClusterLoadAssignment +${WEB}`, 'RouteConfiguration +80', `Cluster -${CART}`]);
  });

  it('in the state of the world keeps a cluster in the list until the routes are gone from it', async () => {
    const client = new Client(pushOf(service('web') + service('cart')), { stateOfTheWorld: true }).start();
    await client.push(pushOf(service('web') + POOL('web', 3)));
    const clusters = client.sent.filter(({ typeUrl }) => typeUrl === CLUSTER_TYPE_URL);
    const names = clusters.map(({ all }) => all.map(({ name }) => name).filter((name) => name.startsWith('outbound')));
    expect(names).toEqual([[WEB, CART], [WEB]]);
    expect(client.sent.map(({ typeUrl }) => typeUrl).at(-1)).toBe(CLUSTER_TYPE_URL);
  });

  it('makes one push of those that come while it waits, and never sends routes of a push whose clusters were not sent', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + service('cart')));
    const last = pushOf(service('web') + service('cart') + service('shop'));
    client.session.update(pushOf(service('web') + service('cart') + service('pay')));
    client.session.update(last);
    expect(client.takeAll()).toEqual([`Cluster +${CART}`]);
    client.ask(ENDPOINT_TYPE_URL, { subscribe: [CART] });
    client.takeAll();
    await client.settle();
    const [routes] = client.sent;
    expect(Buffer.from(routes!.changed[0]!.any.value).includes('shop.default')).toBe(false);
    client.takeAll();
    await client.settle();
    expect(client.takeAll()).toEqual(['Cluster +outbound|80||shop.default.svc.cluster.local']);
    client.scheduler.advance(WARMING_MS);
    await client.settle();
    client.takeAll();
    expect(client.session.isSynced(last)).toBe(true);
  });

  it('waits for the answers to a push, and then sends what is newest, not what was missed', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + POOL('web', 1)));
    const last = pushOf(service('web') + POOL('web', 4));
    for (const size of [2, 3]) await client.push(pushOf(service('web') + POOL('web', size)));
    await client.push(last);
    expect(client.takeAll()).toEqual([`Cluster +${WEB}`, `ClusterLoadAssignment +${WEB}`]);
    await client.settle();
    expect(client.takeAll()).toEqual([`Cluster +${WEB}`, `ClusterLoadAssignment +${WEB}`]);
    await client.settle();
    expect(client.sent).toEqual([]);
    expect(client.session.isSynced(last)).toBe(true);
    expect(client.scheduler.waiting).toBe(0);
  });

  it('does not wait for ever for a client that never answers', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + POOL('web', 1)));
    await client.push(pushOf(service('web') + POOL('web', 2)));
    expect(client.sent.splice(0)).toHaveLength(2);
    client.scheduler.advance(ANSWER_MS);
    await client.settle();
    expect(client.sent).toHaveLength(2);
  });

  it('keeps a refused version in sight, does not send it again, and forgets it when a better one is taken', async () => {
    const client = new Client(pushOf(service('web') + service('cart'))).start();
    await client.push(pushOf(service('web') + service('cart') + POOL('cart', 1) + POOL('web', 1)));
    const [response, endpoints] = client.sent.splice(0);
    const refusedVersion = response!.changed.find(({ name }) => name === CART)!.version;
    client.ask(CLUSTER_TYPE_URL, { nonce: response!.nonce, error: `${CART}: no` });
    client.ask(ENDPOINT_TYPE_URL, { nonce: endpoints!.nonce });
    expect(client.sent).toEqual([]);
    const clusters = () => client.session.status.find(({ typeUrl }) => typeUrl === CLUSTER_TYPE_URL)!;
    expect(clusters()).toMatchObject({ nack: `${CART}: no`, refused: [{ name: CART, version: refusedVersion }] });
    expect(client.refused).toEqual([`${CART}: no`]);
    // Another cluster changes and is taken: the refusal of the first is still true.
    await client.push(pushOf(service('web') + service('cart') + POOL('cart', 1) + POOL('web', 2)));
    expect(client.takeAll()[0]).toBe(`Cluster +${WEB}`);
    expect(clusters().nack).toBe(`${CART}: no`);
    const better = pushOf(service('web') + service('cart') + POOL('cart', 2) + POOL('web', 2));
    await client.push(better);
    client.takeAll();
    expect(clusters().nack).toBe('');
    expect(client.session.isSynced(better)).toBe(true);
  });

  it('counts the refusal of a response that is not the last one, but no nonce twice and none that it never sent', async () => {
    const client = new Client(pushOf(service('web'))).start();
    await client.push(pushOf(service('web') + POOL('web', 1)));
    await client.push(pushOf(service('web') + POOL('web', 2)));
    client.scheduler.advance(ANSWER_MS);
    await client.settle();
    const [first, , second] = client.sent.splice(0);
    client.ask(CLUSTER_TYPE_URL, { nonce: 'never sent', error: 'no' });
    client.ask(CLUSTER_TYPE_URL, { nonce: first!.nonce, error: 'bad' });
    client.ask(CLUSTER_TYPE_URL, { nonce: first!.nonce, error: 'bad' });
    expect(client.refused).toEqual(['bad']);
    client.ask(CLUSTER_TYPE_URL, { nonce: second!.nonce });
    expect(client.session.status[0]!.nack).toBe('');
  });

  it('says at once that a name does not exist, and answers every name that is asked for again', async () => {
    const client = new Client(pushOf(service('web')));
    client.ask(CLUSTER_TYPE_URL, { subscribe: [WEB, 'nobody'] });
    expect(client.takeAll()).toEqual([`Cluster +${WEB} -nobody`]);
    client.ask(CLUSTER_TYPE_URL, { subscribe: [WEB] });
    expect(client.takeAll()).toEqual([`Cluster +${WEB}`]);
    client.ask(CLUSTER_TYPE_URL, { unsubscribe: [WEB, 'unknown'] });
    await client.push(pushOf(service('web') + POOL('web', 5)));
    expect(client.takeAll()).toEqual([]);
  });

  it('widens to everything and narrows again; a name that "*" still covers is answered when it is given up', async () => {
    const client = new Client(pushOf(service('web') + service('cart')));
    client.ask(CLUSTER_TYPE_URL, { subscribe: [WEB] });
    client.takeAll();
    client.ask(CLUSTER_TYPE_URL, { subscribe: ['*'] });
    expect(client.takeAll()[0]).toMatch(/^Cluster .*\+outbound\|80\|\|cart/);
    client.ask(CLUSTER_TYPE_URL, { unsubscribe: [WEB] });
    expect(client.takeAll()).toEqual([`Cluster +${WEB}`]);
    client.ask(CLUSTER_TYPE_URL, { subscribe: [CART] });
    client.ask(CLUSTER_TYPE_URL, { unsubscribe: ['*'] });
    client.takeAll();
    await client.push(pushOf(service('cart')));
    expect(client.takeAll()).toEqual([]);
  });

  it('sends a client that comes back only what it does not have, and says what is gone', async () => {
    const first = new Client(pushOf(service('web') + service('cart')));
    first.ask(CLUSTER_TYPE_URL, { subscribe: ['*'] });
    const held = Object.fromEntries(first.sent[0]!.changed.map(({ name, version }) => [name, version]));
    const again = new Client(pushOf(service('web') + POOL('web', 4)));
    again.ask(CLUSTER_TYPE_URL, { subscribe: ['*'], initialVersions: held });
    expect(again.takeAll()).toEqual([`Cluster +${WEB} -${CART}`]);
    const same = new Client(pushOf(service('web') + service('cart')));
    same.ask(CLUSTER_TYPE_URL, { subscribe: ['*'], initialVersions: held });
    expect(same.takeAll()).toEqual(['Cluster']);
  });

  it('answers an unknown type with nothing', async () => {
    const client = new Client(pushOf(service('web')));
    client.ask('type.googleapis.com/nobody.Knows', { subscribe: ['x'] });
    expect(client.takeAll()).toEqual(['Knows -x']);
  });

  it('reports a type that cannot be translated, and goes on with the others', async () => {
    const client = new Client(pushOf(service('web'))).start();
    const broken = pushOf(service('web') + service('cart'));
    Object.defineProperty(broken, 'destinationRules', {
      get: () => {
        throw new Error('broken rule');
      },
    });
    await client.push(broken);
    expect(client.problems.map(String)).toContain('Error: broken rule');
    client.takeAll();
    const repaired = pushOf(service('web') + POOL('web', 3));
    await client.push(repaired);
    expect(client.takeAll()).toEqual([`Cluster +${WEB}`, `ClusterLoadAssignment +${WEB}`]);
  });
});
