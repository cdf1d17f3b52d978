import grpc from '@grpc/grpc-js';
import {
  CLUSTER_TYPE_URL,
  Cluster,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
  ENDPOINT_TYPE_URL,
  HEALTH_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GRACE_MS } from '../registry/workload-registry.ts';
import { type DeltaClient, deltaClient, type SotwClient, sotwClient, wireNode } from '../testing/ads-client.ts';
import { TestAdsServer } from '../testing/ads-server.ts';
import { pushOf, service } from '../testing/mesh.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const CART = 'outbound|80||cart.default.svc.cluster.local';

let server: TestAdsServer;
const clients: { close(): void }[] = [];

beforeEach(async () => {
  server = await new TestAdsServer(pushOf(service('web'))).start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server[Symbol.asyncDispose]();
});

function delta(): DeltaClient {
  const client = deltaClient({ address: server.address });
  clients.push(client);
  return client;
}

function sotw(): SotwClient {
  const client = sotwClient({ address: server.address });
  clients.push(client);
  return client;
}

const changed = ({ resources }: DeltaDiscoveryResponse): string[] => resources.map(({ name }) => name).filter(isOutbound);
const listed = ({ resources }: DiscoveryResponse): string[] => resources.map(({ value }) => Cluster.decode(value).name).filter(isOutbound);
const isOutbound = (name: string): boolean => name.startsWith('outbound|');

describe('delta ADS', () => {
  it('takes a first request without names as everything, and sends of a change what changed and what is gone', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const first = await client.next();
    expect(changed(first)).toEqual([WEB]);
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    server.update(pushOf(service('cart')));
    const added = await client.next();
    expect([changed(added), added.removedResources]).toEqual([[CART], []]);
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: added.nonce });
    server.scheduler.advance(1000);
    const removed = await client.next();
    expect([changed(removed), removed.removedResources]).toEqual([[], [WEB]]);
  });

  it('takes up where a reconnecting client stands, and gives equal content an equal version', async () => {
    const before = delta();
    before.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: ['*'] });
    const { resources, systemVersionInfo } = await before.next();
    const initialResourceVersions = Object.fromEntries(resources.map(({ name, version }) => [name, version]));
    const again = delta();
    again.send({
      typeUrl: CLUSTER_TYPE_URL,
      node: wireNode('a'),
      resourceNamesSubscribe: ['*'],
      initialResourceVersions: { ...initialResourceVersions, [CART]: 'gone meanwhile' },
    });
    const answer = await again.next();
    expect([changed(answer), answer.removedResources]).toEqual([[], [CART]]);
    expect(answer.systemVersionInfo).toBe(systemVersionInfo);
  });

  it('honours a changed subscription even if the request names an old nonce', async () => {
    const client = delta();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNamesSubscribe: [WEB] });
    await client.next();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [CART], responseNonce: 'of another stream' });
    expect((await client.next()).resources.map(({ name }) => name)).toEqual([CART]);
  });

  it('shows what a client refuses until it takes something better, and does not send it again', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const { nonce } = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: nonce, errorDetail: { code: 3, message: `${WEB}: no` } });
    await server.event(`refused a: ${WEB}: no`);
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB] });
    expect((await client.next()).typeUrl).toBe(ENDPOINT_TYPE_URL);
    expect(client.unread).toBe(0);
    expect(server.status('a')[0]).toMatchObject({ nack: `${WEB}: no`, refused: [{ name: WEB }] });
  });
});

describe('state-of-the-world ADS', () => {
  it('reads names as the protocol has it: [] all, [*, A] all, [A] only A, [] nothing', async () => {
    const client = sotw();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    let { nonce, ...first } = await client.next();
    expect(listed(first as DiscoveryResponse)).toEqual([WEB]);
    const ask = async (resourceNames: string[]): Promise<void> => {
      client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNames, responseNonce: nonce });
      // An answer to another type proves that the request was read, even if it gets no answer of its own.
      client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [`probe ${resourceNames}`] });
    };
    const answers = async (): Promise<string[][]> => {
      const found: string[][] = [];
      for (let response = await client.next(); response.typeUrl === CLUSTER_TYPE_URL; response = await client.next()) {
        nonce = response.nonce;
        found.push(listed(response));
      }
      return found;
    };
    await ask(['*', WEB]);
    expect(await answers()).toEqual([[WEB]]);
    await ask([WEB]);
    expect(await answers()).toEqual([]);
    server.update(pushOf(service('web') + service('cart')));
    await ask([WEB]);
    expect(await answers()).toEqual([]);
    await ask([]);
    expect(await answers()).toEqual([]);
    server.update(pushOf(service('shop')));
    server.scheduler.advance(1000);
    await ask([]);
    expect(await answers()).toEqual([]);
  });

  it('ends the wildcard of a client that begins to name things', async () => {
    const client = sotw();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const { nonce } = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNames: ['nobody'], responseNonce: nonce });
    expect(listed(await client.next())).toEqual([]);
  });

  it('ignores a request with a stale nonce, names and all', async () => {
    const client = sotw();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, node: wireNode('a'), resourceNames: [WEB] });
    const first = await client.next();
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB, CART], responseNonce: first.nonce });
    const second = await client.next();
    expect(second.resources).toHaveLength(1);
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB, CART, 'third'], responseNonce: first.nonce });
    client.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB, CART, 'fourth'], responseNonce: second.nonce });
    const third = await client.next();
    expect(Buffer.from(third.resources[0]!.value).toString('latin1')).toContain('fourth');
    expect(client.unread).toBe(0);
  });

  it('has one version for one content, over streams', async () => {
    const versions: string[] = [];
    for (const name of ['a', 'b']) {
      const client = sotw();
      client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode(name) });
      versions.push((await client.next()).versionInfo);
    }
    expect(versions[0]).toMatch(/.{8}/);
    expect(versions[1]).toBe(versions[0]);
  });
});

describe('two clients', () => {
  it('see what their namespaces may see', async () => {
    server.update(
      pushOf(`${service('web')}---
apiVersion: v1
kind: Service
metadata: { name: inner, namespace: shop, annotations: { networking.istio.io/exportTo: '.' } }
spec: { ports: [{ name: http, port: 80 }] }
`),
    );
    const seen: Record<string, string[]> = {};
    for (const namespace of ['default', 'shop']) {
      const client = delta();
      client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a', namespace) });
      seen[namespace] = changed(await client.next());
    }
    expect(seen).toEqual({ default: [WEB], shop: ['outbound|80||inner.shop.svc.cluster.local', WEB] });
  });
});

describe('clients that come together', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('make room when they have answered a set of everything, without a moment of silence', async () => {
    const nowMs = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(nowMs);
    const [first] = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const client = delta();
        client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode(`a${index}`) });
        return { client, response: await client.next() };
      }),
    );
    const { client, response } = first!;
    expect(server.hasRoom).toBe(false);
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: response.nonce });
    const asked = [
      { typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB] },
      { typeUrl: LISTENER_TYPE_URL, resourceNamesSubscribe: ['*'] },
      { typeUrl: ROUTE_TYPE_URL, resourceNamesSubscribe: ['80'] },
    ];
    for (const request of asked) {
      client.send(request);
      const { typeUrl, nonce } = await client.next();
      expect(server.hasRoom, typeUrl).toBe(false);
      client.send({ typeUrl, responseNonce: nonce });
    }
    client.send({ typeUrl: ROUTE_TYPE_URL, resourceNamesSubscribe: ['81'] });
    await client.next();
    expect(server.hasRoom).toBe(true);
  });
});

describe('a stream that is not in order', () => {
  it.each([
    ['no node', { typeUrl: CLUSTER_TYPE_URL }, /must carry the node/],
    ['a node id of another form', { typeUrl: CLUSTER_TYPE_URL, node: { id: 'web' } }, /node id "web" is not/],
  ])('with %s ends with INVALID_ARGUMENT and the reason', async (_what, request, reason) => {
    const client = delta();
    client.send(request);
    const { code, details } = await client.status;
    expect(code).toBe(grpc.status.INVALID_ARGUMENT);
    expect(details).toMatch(reason);
  });

  it('ends when it changes its workload', async () => {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    await client.next();
    client.send({ typeUrl: HEALTH_TYPE_URL, node: wireNode('b') });
    expect((await client.status).details).toMatch(/changed from default\/a to default\/b/);
    expect(server.registry.instances).toEqual([]);
  });
});

describe('registration over the stream', () => {
  const node = (port: number) =>
    wireNode('web-1', 'default', {
      LABELS: { app: 'web', 'security.istio.io/tlsMode': 'istio' },
      SERVICE_ACCOUNT: 'web',
      RIPSTOP_PORTS: [{ workloadPort: 80, name: 'http', address: '127.0.0.1', port }],
    });

  async function registered(port = 4001): Promise<DeltaClient> {
    const client = delta();
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: node(port) });
    await client.next();
    client.send({ typeUrl: HEALTH_TYPE_URL, node: node(port) });
    await server.event('registered web-1.default');
    return client;
  }

  it('makes an endpoint of the services whose selector matches, where the process really listens', async () => {
    await registered();
    const push = pushOf(service('web') + service('cart'), server.registry.instances);
    const endpoints = Object.fromEntries(push.services.map((entry) => [entry.name, push.endpoints(entry, entry.ports[0]!)]));
    expect(endpoints.web).toMatchObject([{ address: '127.0.0.1', port: 4001, workloadPort: 80, mtls: true, serviceAccount: 'web' }]);
    expect(endpoints.cart).toEqual([]);
  });

  it('ends at once with a clean close', async () => {
    const client = await registered();
    client.end();
    await server.event('withdrawn web-1.default: the stream was closed');
    expect((await client.status).code).toBe(grpc.status.OK);
  });

  it('ends ten seconds after the stream was lost', async () => {
    const client = await registered();
    client.break();
    await server.event('disconnected web-1: connection lost');
    server.scheduler.advance(GRACE_MS - 1);
    expect(server.registry.instances).toHaveLength(1);
    server.scheduler.advance(1);
    expect(server.events.at(-1)).toBe('withdrawn web-1.default: the stream was lost');
  });

  it('goes on when the workload comes back in time, with the ports that it has then', async () => {
    const client = await registered();
    client.break();
    await server.event('disconnected');
    server.events.length = 0;
    await registered(4002);
    server.scheduler.advance(2 * GRACE_MS);
    expect(server.registry.instances.map(({ ports }) => ports[0]!.port)).toEqual([4002]);
  });

  it('ends at once when the workload says that it drains, and stays ended when its stream closes', async () => {
    const client = await registered();
    client.send({ typeUrl: HEALTH_TYPE_URL, node: node(4001), errorDetail: { code: 14, message: 'draining' } });
    await server.event('withdrawn web-1.default: draining');
    client.end();
    await client.status;
    expect(server.events.filter((line) => line.startsWith('withdrawn'))).toHaveLength(1);
  });

  it('belongs to the account that registered it', async () => {
    await registered();
    const thief = delta();
    const claim = wireNode('web-1', 'default', { SERVICE_ACCOUNT: 'thief' });
    thief.send({ typeUrl: HEALTH_TYPE_URL, node: claim, errorDetail: { code: 14, message: 'gone' } });
    const { code, details } = await thief.status;
    expect([code, details]).toEqual([grpc.status.PERMISSION_DENIED, expect.stringContaining('registered by service account web')]);
    expect(server.registry.instances).toHaveLength(1);
  });
});

describe('a client that names an admin address', () => {
  it.each([
    ['of its own', '127.0.0.9:15020', ['127.0.0.9:15020', []]],
    [
      'elsewhere',
      '169.254.169.254:80',
      ['', [expect.stringMatching(/^disbelieved a: .*169\.254\.169\.254:80 is not where it calls from/)]],
    ],
  ])('%s is taken at its word only about its own machine', async (_what, said, expected) => {
    const client = delta();
    const metadata = { RIPSTOP_ADMIN: said, RIPSTOP_PORTS: [{ workloadPort: 80, name: 'http', address: '127.0.0.1', port: 8080 }] };
    client.send({ typeUrl: HEALTH_TYPE_URL, node: wireNode('a', 'default', metadata) });
    await server.event('registered');
    client.send({ typeUrl: HEALTH_TYPE_URL, node: wireNode('a', 'default', metadata) });
    client.send({ typeUrl: CLUSTER_TYPE_URL });
    await client.next();
    const told = server.events.filter((line) => line.startsWith('disbelieved'));
    expect([server.registry.instances[0]?.adminAddress, told]).toEqual(expected);
  });
});
