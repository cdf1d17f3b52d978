import {
  CLUSTER_TYPE_URL,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
  ENDPOINT_TYPE_URL,
  isAny,
  Resource,
  ROUTE_TYPE_URL,
  unpackAny,
} from '@ripstop/xds-api';
import { afterEach, describe, expect, it } from 'vitest';
import { deltaClient, sotwClient, wireNode } from '../testing/ads-client.ts';
import { TestAdsServer } from '../testing/ads-server.ts';
import { pushOf, service } from '../testing/mesh.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const TTL = { seconds: 30, nanos: 0 };
const KNOWS = ['xds.config.supports-resource-ttl', 'xds.config.supports-resource-in-sotw'];
const node = (features: readonly string[] = KNOWS) => wireNode('a', 'default', {}, features);

let parts = new AsyncDisposableStack();

afterEach(async () => {
  await parts.disposeAsync();
  parts = new AsyncDisposableStack();
});

async function server(resourceTtlMs = 30_000): Promise<TestAdsServer> {
  return parts.use(await new TestAdsServer(pushOf(service('web')), { resourceTtlMs }).start());
}

function client<Client extends { close(): void }>(made: Client): Client {
  return parts.adopt(made, (each) => each.close());
}

const changed = () =>
  pushOf(`${service('web')}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: default }
spec: { host: web, trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } } }
`);

const wrapped = ({ resources }: DiscoveryResponse): Resource[] => resources.map((any) => unpackAny(Resource, any));
const webOf = ({ resources }: DeltaDiscoveryResponse): Resource => resources.find(({ name }) => name === WEB)!;

describe('time to live of resources', () => {
  it('delta: every resource carries it, and a beat of names and versions comes three times in it', async () => {
    const plane = await server();
    const delta = client(deltaClient({ address: plane.address }));
    delta.send({ typeUrl: CLUSTER_TYPE_URL, node: node() });
    const first = await delta.next();
    expect(webOf(first).ttl).toEqual(TTL);
    delta.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    delta.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNamesSubscribe: [WEB] });
    await delta.next();
    plane.scheduler.advance(10_000);
    const beat = await delta.next();
    expect(beat.typeUrl).toBe(CLUSTER_TYPE_URL);
    expect(beat.resources).toHaveLength(first.resources.length);
    expect(webOf(beat)).toMatchObject({ name: WEB, version: webOf(first).version, resource: undefined, ttl: TTL });
    expect(beat.nonce).not.toBe(first.nonce);
  });

  it('delta: a version that the client refused is not confirmed, the one before it is', async () => {
    const plane = await server();
    const delta = client(deltaClient({ address: plane.address }));
    delta.send({ typeUrl: CLUSTER_TYPE_URL, node: node(), resourceNamesSubscribe: [WEB] });
    const first = await delta.next();
    delta.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    plane.update(changed());
    const second = await delta.next();
    delta.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: second.nonce, errorDetail: { code: 3, message: `${WEB}: no` } });
    await plane.event('refused a');
    plane.scheduler.advance(10_000);
    expect(webOf(await delta.next())).toMatchObject({ version: webOf(first).version, resource: undefined });
    expect(webOf(second).version).not.toBe(webOf(first).version);
  });

  it('delta: what a client brings from before is confirmed at once', async () => {
    const plane = await server();
    const delta = client(deltaClient({ address: plane.address }));
    delta.send({ typeUrl: CLUSTER_TYPE_URL, node: node(), resourceNamesSubscribe: [WEB] });
    const { version } = webOf(await delta.next());
    const again = client(deltaClient({ address: plane.address }));
    again.send({ typeUrl: CLUSTER_TYPE_URL, node: node(), resourceNamesSubscribe: [WEB], initialResourceVersions: { [WEB]: version } });
    expect((await again.next()).resources).toEqual([]);
    expect(webOf(await again.next())).toMatchObject({ version, resource: undefined, ttl: TTL });
  });

  it('state of the world: every resource carries it, in a wrapper; a beat has the version that the client took, and no bodies', async () => {
    const plane = await server();
    const sotw = client(sotwClient({ address: plane.address }));
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, node: node() });
    const first = await sotw.next();
    expect(first.resources.every((any) => isAny(Resource, any))).toBe(true);
    const [resource] = wrapped(first).filter(({ name }) => name === WEB);
    expect(resource).toMatchObject({ name: WEB, ttl: TTL, resource: { typeUrl: CLUSTER_TYPE_URL } });
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce, versionInfo: first.versionInfo });
    sotw.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB] });
    const endpoints = await sotw.next();
    sotw.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB], responseNonce: endpoints.nonce });
    // What was sent before has been read when this is answered.
    sotw.send({ typeUrl: ROUTE_TYPE_URL, resourceNames: ['none'] });
    await sotw.next();
    plane.scheduler.advance(10_000);
    const beats = [await sotw.next(), await sotw.next()];
    expect(beats.map(({ typeUrl, versionInfo }) => [typeUrl, versionInfo])).toEqual([
      [CLUSTER_TYPE_URL, first.versionInfo],
      [ENDPOINT_TYPE_URL, endpoints.versionInfo],
    ]);
    expect(wrapped(beats[0]!).map(({ name }) => name)).toEqual(wrapped(first).map(({ name }) => name));
    for (const beat of beats.flatMap(wrapped)) expect(beat).toMatchObject({ resource: undefined, ttl: TTL });
  });

  it('state of the world: a version that the client refused is not confirmed, the one before it is', async () => {
    const plane = await server();
    const sotw = client(sotwClient({ address: plane.address }));
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, node: node() });
    const first = await sotw.next();
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    plane.update(changed());
    const second = await sotw.next();
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: second.nonce, errorDetail: { code: 3, message: `${WEB}: no` } });
    await plane.event('refused a');
    plane.scheduler.advance(10_000);
    expect((await sotw.next()).versionInfo).toBe(first.versionInfo);
    expect(second.versionInfo).not.toBe(first.versionInfo);
  });

  it('state of the world to an Envoy: clusters and listeners alone, and they are said again whole', async () => {
    const plane = await server();
    const sotw = client(sotwClient({ address: plane.address }));
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, node: { ...node(), userAgentName: 'envoy' } });
    const first = await sotw.next();
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    sotw.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB] });
    const endpoints = await sotw.next();
    expect(endpoints.resources.map(({ typeUrl }) => typeUrl)).toEqual([ENDPOINT_TYPE_URL]);
    sotw.send({ typeUrl: ENDPOINT_TYPE_URL, resourceNames: [WEB], responseNonce: endpoints.nonce });
    plane.scheduler.advance(10_000);
    const again = await sotw.next();
    expect(again.nonce).not.toBe(first.nonce);
    expect({ ...again, nonce: '' }).toEqual({ ...first, nonce: '' });
    expect(wrapped(again).find(({ name }) => name === WEB)).toMatchObject({ ttl: TTL, resource: { typeUrl: CLUSTER_TYPE_URL } });
  });

  it('state of the world: none for a client that does not know the wrapper', async () => {
    const plane = await server();
    const sotw = client(sotwClient({ address: plane.address }));
    sotw.send({ typeUrl: CLUSTER_TYPE_URL, node: node(KNOWS.slice(0, 1)) });
    const { resources } = await sotw.next();
    expect(new Set(resources.map(({ typeUrl }) => typeUrl))).toEqual(new Set([CLUSTER_TYPE_URL]));
    expect(plane.scheduler.waiting).toBe(0);
  });

  it.each([
    ['does not know it', [], 30_000],
    ['knows it, when none is set', KNOWS, 0],
  ])('a client that %s gets none and no beats', async (_what, features, ttlMs) => {
    const plane = await server(ttlMs);
    const delta = client(deltaClient({ address: plane.address }));
    delta.send({ typeUrl: CLUSTER_TYPE_URL, node: node(features) });
    expect(webOf(await delta.next()).ttl).toBeUndefined();
    expect(plane.scheduler.waiting).toBe(0);
  });
});
