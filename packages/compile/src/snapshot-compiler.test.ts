import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ClusterStates,
  type ConfigUpdate,
  type Exchange,
  Exchange as ExchangeClass,
  isLease,
  NO_PEER,
  Pipeline,
  type RequestHead,
  type Snapshot,
} from '@ripstop/core';
import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { standardFilters } from './registry.ts';
import { SnapshotCompiler } from './snapshot-compiler.ts';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../shared/conformance');
const cases = join(root, 'istiod-xds');
const present = existsSync(cases);
if (!present) console.log(`skipped: recorded xDS of a real istiod (no ${cases})`);

/** Refused by this version, by name; the last good version stays and the control plane shows the reason. */
const REFUSED = ['http filter envoy.filters.http.buffer', 'trust bundle configmap://'];

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.05;

interface Dump {
  readonly clusters: readonly unknown[];
  readonly endpoints: readonly unknown[];
  readonly listeners: readonly unknown[];
  readonly routes: readonly unknown[];
}

const TYPES = [
  ['clusters', CLUSTER_TYPE_URL, Cluster, 'name'],
  ['endpoints', ENDPOINT_TYPE_URL, ClusterLoadAssignment, 'clusterName'],
  ['listeners', LISTENER_TYPE_URL, Listener, 'name'],
  ['routes', ROUTE_TYPE_URL, RouteConfiguration, 'name'],
] as const;

function compile(file: string): { snapshot: Snapshot | undefined; rejections: string[]; missing: readonly string[] } {
  const dump = JSON.parse(readFileSync(file, 'utf8')) as Dump;
  const compiler = new SnapshotCompiler({
    clock,
    random,
    filters: standardFilters(),
    clusterStates: new ClusterStates({ clock, random, resolveDns: async () => [] }),
    router: file.includes('router-'),
  });
  const rejections: string[] = [];
  for (const [key, typeUrl, codec, nameField] of TYPES) {
    const resources = dump[key].map((json) => {
      const message = fromProtoJson(codec as unknown as { readonly $type: string; fromJSON(json: unknown): Record<string, string> }, json);
      return {
        name: message[nameField]!,
        version: '1',
        body: (codec as unknown as { encode(message: unknown): { finish(): Uint8Array } }).encode(message).finish(),
      };
    });
    const update: ConfigUpdate = { typeUrl, version: '1', resources, removed: [], full: true };
    rejections.push(...compiler.apply(update).map(({ name, reason }) => `${name}: ${reason}`));
  }
  return { snapshot: compiler.build(), rejections, missing: compiler.missing() };
}

class Head implements RequestHead {
  readonly scheme = 'http';
  method = 'GET';
  authority: string;
  path: string;
  readonly headers: Map<string, string>;
  constructor(authority: string, path: string, headers: Record<string, string>) {
    this.authority = authority;
    this.path = path;
    this.headers = new Map(Object.entries(headers));
  }
  header(name: string): string | undefined {
    return this.headers.get(name);
  }
  headerLines(name: string): readonly string[] {
    const value = this.headers.get(name);
    return value === undefined ? [] : [value];
  }
  setHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }
  appendHeader(name: string, value: string): void {
    this.headers.set(name, `${this.headers.get(name)},${value}`);
  }
  removeHeader(name: string): void {
    this.headers.delete(name);
  }
}

async function call(
  snapshot: Snapshot,
  port: number,
  host: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ x: Exchange; status: number | undefined }> {
  const manager = snapshot.outbound.forPort(port) ?? snapshot.outbound.catchAll;
  const x = new ExchangeClass({
    direction: 'outbound',
    protocol: 'http1',
    request: new Head(host, path, headers),
    snapshot,
    manager,
    peer: NO_PEER,
    port,
    startedAt: 0,
  });
  const reply = await new Pipeline({ clock, random }).begin(x);
  return { x, status: reply?.status };
}

describe.skipIf(!present)('recorded xDS of a real istiod', () => {
  const files = present
    ? readdirSync(cases, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .flatMap(({ name }) => readdirSync(join(cases, name, 'expected')).map((file) => `${name}/expected/${file}`))
        .filter((file) => !file.includes('/grpc-'))
    : [];

  it.each(files)('%s compiles, what is refused is known by name', (file) => {
    const { snapshot, rejections, missing } = compile(join(cases, file));
    expect(rejections.filter((text) => !REFUSED.some((known) => text.includes(known)))).toEqual([]);
    if (rejections.length > 0) return;
    expect(missing).toEqual([]);
    expect(snapshot).toBeDefined();
  });

  it('routes as the mission configuration says, in the mesh and at the gateway', async () => {
    const sidecar = compile(join(cases, 'seed/expected/sidecar-productpage-v1.json')).snapshot!;
    expect((await call(sidecar, 9080, 'productpage:9080', '/')).x.cluster?.name).toBe(
      'outbound|9080|v1|productpage.default.svc.cluster.local',
    );
    expect((await call(sidecar, 80, 'my-service', '/other')).x.cluster?.name).toBe('outbound|80||my-service.default.svc.cluster.local');
    expect((await call(sidecar, 80, 'unknown.example', '/')).x.cluster?.name).toBe('PassthroughCluster');
    const { x } = await call(sidecar, 9080, 'productpage.default', '/');
    const lease = x.cluster!.acquire(x);
    expect(isLease(lease) && lease.endpoint.transport.kind).toBe('tls');
    const router = compile(join(cases, 'seed/expected/router-ingress.json')).snapshot!;
    expect(router.gateways.map(({ name, port }) => [name, port])).toEqual([['0.0.0.0_8080', 8080]]);
    const manager = router.gateways[0]!.filterChains[0]!.http!;
    expect(manager.routes.virtualHost('my-service.default.svc.cluster.local')?.routes).toHaveLength(1);
    expect(manager.routes.virtualHost('other.example')).toBeUndefined();
  });

  it('takes jason elsewhere', async () => {
    const name = readdirSync(join(cases, 'bookinfo-jason/expected')).find((file) => file.includes('productpage'))!;
    const { snapshot } = compile(join(cases, 'bookinfo-jason/expected', name));
    const jason = await call(snapshot!, 9080, 'reviews:9080', '/', { 'end-user': 'jason' });
    const other = await call(snapshot!, 9080, 'reviews:9080', '/');
    expect([jason.x.cluster?.subset, other.x.cluster?.subset]).toEqual(['v2', 'v1']);
  });
});
