import {
  CLUSTER_TYPE_URL,
  Cluster,
  type DeltaDiscoveryResponse,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
} from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeltaClient, deltaClient, type SotwClient, sotwClient, wireNode } from '../testing/ads-client.ts';
import { TestAdsServer } from '../testing/ads-server.ts';
import { instance, pushOf, service } from '../testing/mesh.ts';

/** Rules of xDS transport that no other test of this folder names; docs/design/rules-xds.md lists them all. */
const WEB = 'outbound|80||web.default.svc.cluster.local';
const CART = 'outbound|80||cart.default.svc.cluster.local';
const RULE = (host: string, connections: number): string => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec: { host: ${host}, trafficPolicy: { connectionPool: { tcp: { maxConnections: ${connections} } } } }
`;

let server: TestAdsServer;
let parts: AsyncDisposableStack;

beforeEach(async () => {
  parts = new AsyncDisposableStack();
  server = parts.use(await new TestAdsServer(pushOf(service('web') + service('cart'))).start());
});
afterEach(() => parts.disposeAsync());

function delta(): DeltaClient {
  return parts.adopt(deltaClient({ address: server.address }), (each) => each.close());
}

function sotw(): SotwClient {
  return parts.adopt(sotwClient({ address: server.address }), (each) => each.close());
}

const names = ({ resources }: DeltaDiscoveryResponse): string[] =>
  resources.map(({ name }) => name).filter((name) => name.startsWith('outbound|'));
const versions = ({ resources }: DeltaDiscoveryResponse): Record<string, string> =>
  Object.fromEntries(resources.map(({ name, version }) => [name, version]));

/** What a delta client has of clusters, kept as the protocol has it; every response is taken. */
class Clusters {
  readonly held = new Set<string>();
  private readonly client: DeltaClient;

  constructor(client: DeltaClient) {
    this.client = client;
  }

  /** Sends a change of the subscription, then something that is always answered; takes all that comes before that. */
  async ask(fields: object): Promise<string[]> {
    this.client.send({ typeUrl: CLUSTER_TYPE_URL, ...fields });
    return this.read();
  }

  async read(): Promise<string[]> {
    this.client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: ['probe'] });
    for (;;) {
      const response = await this.client.next();
      this.client.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
      if (response.typeUrl === ENDPOINT_TYPE_URL) break;
      for (const name of names(response)) this.held.add(name);
      for (const name of response.removedResources) this.held.delete(name);
    }
    return [...this.held].sort();
  }

  /** The names that a change of every cluster is told of. */
  async pushed(): Promise<string[]> {
    this.held.clear();
    server.update(pushOf(service('web') + service('cart') + RULE('web', 3) + RULE('cart', 3)));
    return this.read();
  }
}

describe('the wildcard of delta', () => {
  it('unset is everything; +A keeps everything; -"*" leaves A; -A leaves nothing', async () => {
    const clusters = new Clusters(delta());
    expect(await clusters.ask({ node: wireNode('a') })).toEqual([CART, WEB]);
    expect(await clusters.ask({ resourceNamesSubscribe: [WEB] })).toEqual([CART, WEB]);
    await clusters.ask({ resourceNamesUnsubscribe: ['*'] });
    expect(await clusters.pushed()).toEqual([WEB]);
    await clusters.ask({ resourceNamesUnsubscribe: [WEB] });
    server.update(pushOf(service('web') + RULE('web', 4)));
    clusters.held.clear();
    expect(await clusters.read()).toEqual([]);
  });

  it('an explicit "*" beside A, and A given up, is still everything', async () => {
    const clusters = new Clusters(delta());
    await clusters.ask({ node: wireNode('a'), resourceNamesSubscribe: ['*', WEB] });
    await clusters.ask({ resourceNamesUnsubscribe: [WEB] });
    expect(await clusters.pushed()).toEqual([CART, WEB]);
  });

  it('a name that "*" does not have is said to be gone when it is given up', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: ['*', 'nobody'] });
    expect((await client.next()).removedResources).toEqual(['nobody']);
    client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNamesUnsubscribe: ['nobody'] });
    expect((await client.next()).removedResources).toEqual(['nobody']);
  });

  it('there is none for endpoints, routes and secrets: a first request without names asks for nothing', async () => {
    const client = delta();
    for (const typeUrl of [ENDPOINT_TYPE_URL, ROUTE_TYPE_URL, SECRET_TYPE_URL]) client.send({ typeUrl, node: wireNode('a') });
    client.send({ typeUrl: LISTENER_TYPE_URL });
    expect((await client.next()).typeUrl).toBe(LISTENER_TYPE_URL);
    expect(client.unread).toBe(0);
  });
});

describe('a client that comes back', () => {
  it('gets endpoints again that it has, when their cluster changed while it was away: it warms until they come', async () => {
    const before = delta();
    before.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const clusters = versions(await before.next());
    before.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB, CART] });
    const endpoints = versions(await before.next());
    server.update(pushOf(service('web') + service('cart') + RULE('cart', 5)));
    const again = delta();
    again.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: ['*'], initialResourceVersions: clusters });
    again.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB, CART], initialResourceVersions: endpoints });
    expect(names(await again.next())).toEqual([CART]);
    const fresh = await again.next();
    expect([fresh.typeUrl, versions(fresh)]).toEqual([ENDPOINT_TYPE_URL, { [CART]: endpoints[CART] }]);
  });

  it('also when it asks for the endpoints first', async () => {
    const before = delta();
    before.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const clusters = versions(await before.next());
    before.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [CART] });
    const endpoints = versions(await before.next());
    server.update(pushOf(service('web') + service('cart') + RULE('cart', 5)));
    const again = delta();
    again.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: [CART], initialResourceVersions: endpoints });
    expect(names(await again.next())).toEqual([]);
    again.send({ typeUrl: CLUSTER_TYPE_URL, resourceNamesSubscribe: ['*'], initialResourceVersions: clusters });
    expect(names(await again.next())).toEqual([CART]);
    expect(versions(await again.next())).toEqual({ [CART]: endpoints[CART] });
  });

  it('says what it has in the first request of each type; later it is not asked', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: [WEB] });
    const first = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNamesSubscribe: [CART], initialResourceVersions: { [CART]: 'whatever', gone: '1' } });
    const second = await client.next();
    expect([names(first), names(second), second.removedResources]).toEqual([[WEB], [CART], []]);
  });

  it('is not believed a version that another server made up: content decides', async () => {
    const client = delta();
    client.send({
      typeUrl: CLUSTER_TYPE_URL,
      node: wireNode('a'),
      resourceNamesSubscribe: [WEB],
      initialResourceVersions: { [WEB]: '1' },
    });
    expect(names(await client.next())).toEqual([WEB]);
  });

  it('with state of the world is told everything again, whatever version it names', async () => {
    const first = sotw();
    first.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNames: [WEB] });
    const { versionInfo } = await first.next();
    const again = sotw();
    again.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNames: [WEB], versionInfo });
    const answer = await again.next();
    expect([answer.resources.length, answer.versionInfo]).toEqual([1, versionInfo]);
  });
});

describe('requests and responses', () => {
  it('the node is named once, in the first request of any type', async () => {
    const client = delta();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: [WEB] });
    await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNamesSubscribe: [WEB] });
    expect(names(await client.next())).toEqual([WEB]);
  });

  it('nonces are of one stream, and no two responses share one, of any type', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB] });
    client.send({ typeUrl: LISTENER_TYPE_URL });
    const nonces = [await client.next(), await client.next(), await client.next()].map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(3);
    expect(nonces).not.toContain('');
  });

  it('error_detail alone makes a NACK, even when it is empty and the version is the one that was sent', async () => {
    const client = sotw();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const { nonce, versionInfo } = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, versionInfo, responseNonce: nonce, errorDetail: {} });
    await server.event('refused a: code 0');
    expect(server.status('a')[0]!.nack).toBe('code 0');
  });

  it('a name stands once in a response, and nobody gets what he did not ask for', async () => {
    server.update(pushOf(service('web') + service('cart'), [instance('web', '10.0.0.1')]));
    const client = delta();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: [WEB, WEB] });
    const first = await client.next();
    expect(names(first)).toEqual([WEB]);
    client.send({ typeUrl: ENDPOINT_TYPE_URL, responseNonce: first.nonce });
    server.update(pushOf(service('web') + service('cart'), [instance('cart', '10.0.0.2'), instance('web', '10.0.0.3')]));
    expect(names(await client.next())).toEqual([WEB]);
    const whole = delta();
    whole.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('b') });
    const { resources } = await whole.next();
    expect(new Set(resources.map(({ name }) => name)).size).toBe(resources.length);
  });

  it('endpoints in the state of the world: what a response leaves out stays; a shrunk list is no wildcard', async () => {
    const client = sotw();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNames: [WEB, CART] });
    const first = await client.next();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB, CART], responseNonce: first.nonce });
    server.update(pushOf(service('web') + service('cart'), [instance('web', '10.0.0.3')]));
    const second = await client.next();
    expect([first.resources.length, second.resources.length]).toEqual([2, 1]);
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [], responseNonce: second.nonce });
    client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNames: [WEB] });
    const next = await client.next();
    expect([next.typeUrl, Cluster.decode(next.resources[0]!.value).name, client.unread]).toEqual([CLUSTER_TYPE_URL, WEB, 0]);
  });
});
