import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  packAny,
  ROUTE_TYPE_URL,
  RouteConfiguration,
} from '@ripstop/xds-api';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { listenerOf, socketAddress, typed } from '../simulation/xds/static-config.ts';
import { bootstrap } from './envoy/bootstrap.ts';
import { EnvoyProcess } from './envoy/envoy-process.ts';
import { DeltaServer } from './mesh/delta-server.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: warming beside an Envoy: ${envoy.missing}`);

const ADS = { ads: {}, resource_api_version: 'V3' };
const UNHEALTHY = '503 no healthy upstream';

describe.skipIf('missing' in envoy).each(['envoy', 'sdk'] as const)('what is not ready yet, at a gateway: %s', (side) => {
  const parts = new AsyncDisposableStack();
  /** What b answers to health checks, and after how long. */
  const health = { status: 200, delayMs: 0 };
  let server: DeltaServer;
  let port: number;
  let ports: Readonly<Record<'a' | 'b', number>>;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-warming-'));
    parts.defer(() => rmSync(folder, { recursive: true, force: true }));
    const [a, b] = [host('a'), host('b')];
    for (const each of [a, b]) {
      parts.defer(() => {
        each.closeAllConnections();
        each.close();
      });
    }
    ports = { a: await listening(a), b: await listening(b) };
    const free = createServer();
    port = await listening(free);
    await new Promise((resolve) => free.close(resolve));
    server = parts.use(await DeltaServer.start());
    server.absence = 'silent';
    setCluster('a', { load_assignment: assignment('a', ports.a) });
    setListener('table');
    lead('a');
    if (side === 'envoy') {
      const input = { role: 'router', name: 'edge', namespace: 'default', serviceAccount: 'edge', labels: {}, variant: 'delta' } as const;
      const config = bootstrap({ ...input, xdsPort: server.port, sdsPath: join(folder, 'sds') });
      parts.use(await EnvoyProcess.start(envoy.path, folder, config, ['--drain-time-s', '1']));
    } else {
      const xds = `grpc://127.0.0.1:${server.port}`;
      const mesh = createMesh({ service: 'edge', namespace: 'default', role: 'router', admin: 'off', ports: 'auto', xds });
      parts.defer(() => mesh.close({ drainMs: 0 }));
      const gateway = parts.use(createGateway({ mesh, ports: { [port]: port } }));
      await gateway.start();
    }
    await until('it leads to a', async () => (await call()) === '200 a');
  });
  afterAll(() => parts.disposeAsync());

  function host(name: string): Server {
    return createServer((received, response) => {
      if (received.url === '/health') setTimeout(() => response.writeHead(health.status).end(), health.delayMs);
      else response.end(name);
    });
  }

  const assignment = (name: string, at: number): object => ({
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(at) } }] }],
  });

  function setCluster(name: string, more: object): void {
    const message = { name, type: 'STATIC', connect_timeout: '1s', ...more };
    server.set(CLUSTER_TYPE_URL, name, packAny(Cluster, fromProtoJson(Cluster, message)));
  }

  function setEdsCluster(name: string, initial_fetch_timeout: string): void {
    setCluster(name, { type: 'EDS', eds_cluster_config: { eds_config: { ...ADS, initial_fetch_timeout } } });
  }

  function setEndpoints(name: string): void {
    server.set(ENDPOINT_TYPE_URL, name, packAny(ClusterLoadAssignment, fromProtoJson(ClusterLoadAssignment, assignment(name, ports.b))));
  }

  function setCheckedCluster(name: string): void {
    const check = { timeout: '2s', interval: '0.2s', healthy_threshold: 2, unhealthy_threshold: 2, http_health_check: { path: '/health' } };
    const panic = { common_lb_config: { healthy_panic_threshold: { value: 0 } } };
    setCluster(name, { load_assignment: assignment(name, ports.b), health_checks: [check], ...panic });
  }

  function setListener(table: string, more: object = {}): void {
    const manager = { route_config: undefined, rds: { route_config_name: table, config_source: { ...ADS, ...more } } };
    const message = listenerOf({ filters: [], virtualHosts: [], clusters: {}, manager }, port);
    server.set(LISTENER_TYPE_URL, 'edge', packAny(Listener, fromProtoJson(Listener, message)));
  }

  function lead(to: string, table = 'table'): void {
    const hosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: to } }] }];
    server.set(
      ROUTE_TYPE_URL,
      table,
      packAny(RouteConfiguration, fromProtoJson(RouteConfiguration, { name: table, virtual_hosts: hosts })),
    );
  }

  async function call(): Promise<string> {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { reset: true });
    return `${statusCode} ${await body.text()}`.trim();
  }

  /** Calls until the answer is the wanted one; what was answered on the way, and how long it took. */
  async function becomes(wanted: string | RegExp): Promise<{ readonly before: ReadonlySet<string>; readonly tookMs: number }> {
    const start = performance.now();
    const before = new Set<string>();
    await until(String(wanted), async () => {
      const answer = await call();
      if (typeof wanted === 'string' ? answer === wanted : wanted.test(answer)) return true;
      before.add(answer);
      throw new Error(`it answers ${answer}`);
    });
    return { before, tookMs: performance.now() - start };
  }

  /** An Envoy refuses what its routes send to a cluster that is not there yet; ours go where they went. */
  function meanwhile({ before }: { readonly before: ReadonlySet<string> }, old: string): void {
    expect([...before].filter((answer) => answer !== old && (side === 'sdk' || answer !== '503'))).toEqual([]);
  }

  it('a new cluster is used when its hosts have been checked', async () => {
    Object.assign(health, { status: 200, delayMs: 400 });
    setCheckedCluster('checked');
    lead('checked');
    const way = await becomes('200 b');
    expect(way.tookMs).toBeGreaterThan(350);
    meanwhile(way, '200 a');
  });

  it('also when none of them is well: then nobody is asked', async () => {
    lead('a');
    await becomes('200 a');
    Object.assign(health, { status: 500, delayMs: 200 });
    setCheckedCluster('sick');
    lead('sick');
    const way = await becomes(UNHEALTHY);
    expect(way.tookMs).toBeGreaterThan(150);
    meanwhile(way, '200 a');
  });

  it('a cluster whose endpoints do not come has none when its time is up, and has them when they come', async () => {
    lead('a');
    await becomes('200 a');
    setEdsCluster('late', '0.7s');
    lead('late');
    const way = await becomes(UNHEALTHY);
    expect(way.tookMs).toBeGreaterThan(600);
    meanwhile(way, '200 a');
    setEndpoints('late');
    await becomes('200 b');
  });

  it('endpoints that are said not to exist are not waited for; a removal later takes none away', async () => {
    server.absence = 'removed';
    setEdsCluster('removed', '30s');
    lead('removed');
    const way = await becomes(UNHEALTHY);
    expect(way.tookMs).toBeLessThan(5000);
    meanwhile(way, '200 b');
    setEndpoints('removed');
    await becomes('200 b');
    server.withdraw(ENDPOINT_TYPE_URL, 'removed');
    for (let made = 0; made < 20; made++) expect(await call()).toBe('200 b');
    server.absence = 'silent';
  });

  it('a cluster whose secret does not come cannot be connected to', async () => {
    const sds_config = { ...ADS, initial_fetch_timeout: '0.5s' };
    const common_tls_context = { tls_certificate_sds_secret_configs: [{ name: 'mine', sds_config }] };
    const typed_config = typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', { common_tls_context });
    setCluster('secret', { load_assignment: assignment('secret', ports.b), transport_socket: { name: 'tls', typed_config } });
    lead('secret');
    meanwhile(await becomes(/^503 upstream connect error/), '200 b');
  });

  it('a listener that changes stays as it was until its routes are here, or their time is up', async () => {
    lead('a');
    await becomes('200 a');
    setListener('late-table', { initial_fetch_timeout: '0.7s' });
    const way = await becomes('404');
    expect(way.tookMs).toBeGreaterThan(600);
    expect([...way.before]).toEqual(['200 a']);
    lead('a', 'late-table');
    await becomes('200 a');
  });
});

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}
