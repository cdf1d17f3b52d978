import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER_TYPE_URL, HEALTH_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deltaClient, wireNode } from '../testing/ads-client.ts';
import { service } from '../testing/mesh.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import type { Explainer } from './explain-endpoint.ts';
import type { LiveState, SyncRow } from './live-state.ts';

let dir: string;
let plane: ControlPlane;
const clients: { close(): void }[] = [];
/** As the one of the command line answers: what the question was, or whom it does not know. */
const explain: Explainer = async (question) => {
  if (question.from === 'nobody') throw new Error('no client nobody.default is connected; connected are: none');
  return { question };
};

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-http-'));
  writeFileSync(join(dir, 'services.yaml'), service('web') + service('cart'));
  plane = createControlPlane({ source: dir, xds: '127.0.0.1:0', xdsTls: '', http: '127.0.0.1:0', explain });
  await plane.start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await plane.close();
  rmSync(dir, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function get(path: string, { method = 'GET', host = 'localhost' } = {}): Promise<Answer> {
  const [address, port] = plane.addresses.http.split(':');
  return new Promise((resolve, reject) => {
    request({ host: address, port, path, method, headers: { host }, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

async function json<T>(path: string): Promise<T> {
  const { status, headers, body } = await get(path);
  expect([status, headers['content-type']]).toEqual([200, 'application/json']);
  return JSON.parse(body) as T;
}

/** A client that takes its clusters; with a port it serves as app `web`. */
async function connected(name: string, port?: number): Promise<void> {
  const client = deltaClient({ address: plane.addresses.xds });
  clients.push(client);
  const node = wireNode(name, 'default', {
    LABELS: { app: 'web', 'service.istio.io/canonical-name': 'web' },
    RIPSTOP_PORTS: port === undefined ? [] : [{ workloadPort: 80, name: '', address: '127.0.0.1', port }],
  });
  client.send({ typeUrl: CLUSTER_TYPE_URL, node });
  client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: (await client.next()).nonce });
  if (port === undefined) return;
  client.send({ typeUrl: HEALTH_TYPE_URL, node });
  await expect.poll(() => plane.push.instances.length).toBe(1);
}

describe('findings of a running control plane', () => {
  const policy = (name: string, app: string): string => `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default }
spec: { selector: { matchLabels: { app: ${app} } }, rules: [{}] }
`;
  const pod = `---
apiVersion: v1
kind: Pod
metadata: { name: other, namespace: default, labels: { app: other } }
`;
  const selectsNothing = (findings: readonly { readonly code?: string; readonly object?: string; readonly text?: string }[]): string[] =>
    findings.filter(({ code, text = '' }) => code === 'IST0127' || text.includes('IST0127')).map(({ object, text }) => object ?? text!);
  const asked = async (): Promise<string[]> => selectsNothing(await json('/api/findings'));
  const shown = async (): Promise<string[]> => selectsNothing((await json<LiveState>('/api/state')).findings);
  const WEB = 'AuthorizationPolicy default/for-web';
  const NOBODY = 'AuthorizationPolicy default/for-nobody';

  it('know registered processes: a selector that takes one takes something', async () => {
    writeFileSync(join(dir, 'policies.yaml'), policy('for-web', 'web') + policy('for-nobody', 'nobody'));
    await expect.poll(() => plane.objects.length).toBe(4);
    expect([await asked(), await shown()]).toEqual([[], []]); // Nobody says who runs.
    await connected('web-1', 4001);
    expect(await asked()).toEqual([NOBODY]);
    expect(await shown()).toEqual([]); // The rest may be starting.
  });

  it('on the page, where documents have Pods, leave out what a registered process is selected by', async () => {
    writeFileSync(join(dir, 'policies.yaml'), policy('for-web', 'web') + policy('for-nobody', 'nobody') + pod);
    await expect.poll(() => plane.objects.length).toBe(5);
    expect(await asked()).toEqual([WEB, NOBODY]);
    await connected('web-1', 4001).catch(() => {});
    await expect.poll(asked).toEqual([NOBODY]);
    expect(await shown()).toEqual([expect.stringContaining('default/for-nobody')]);
  });
});

describe('the HTTP port', () => {
  it('serves the page with a policy that lets nothing else run', async () => {
    const { status, headers, body } = await get('/');
    expect(status).toBe(200);
    expect(body).toContain('<h1>Ripstop</h1>');
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'sha256-/);
    expect(body).not.toMatch(/<(link|img|iframe|script )|[^-]url\(|@import|import\(/);
  });

  it('says what is served, by whom, and whether they have the configuration', async () => {
    await connected('web-1', 4001);
    await connected('caller-1');
    await expect.poll(async () => (await json<SyncRow[]>('/debug/syncz')).map(({ synced }) => synced)).toEqual([true, true]);
    const { services, instances, objects, findings } = await json<LiveState>('/api/state');
    expect(services).toEqual([
      {
        host: 'cart.default.svc.cluster.local',
        namespace: 'default',
        ports: [{ port: 80, name: 'http', protocol: 'HTTP' }],
        healthy: 0,
        endpoints: 0,
        note: 'no healthy instance with app=cart serves its target port',
      },
      {
        host: 'web.default.svc.cluster.local',
        namespace: 'default',
        ports: [{ port: 80, name: 'http', protocol: 'HTTP' }],
        healthy: 1,
        endpoints: 1,
        note: '',
      },
    ]);
    expect(instances).toEqual([
      { service: 'web', name: 'caller-1', namespace: 'default', address: '', health: 'client', sync: 'synced', nack: '' },
      {
        service: 'web',
        name: 'web-1',
        namespace: 'default',
        address: '80 → 127.0.0.1:4001',
        health: 'HEALTHY',
        sync: 'synced',
        nack: '',
      },
    ]);
    expect(objects).toContainEqual({ kind: 'Service', namespace: 'default', name: 'cart', file: 'services.yaml', line: 7 });
    expect(findings).toEqual([]);
  });

  it('passes the question of the page on to whoever explains', async () => {
    expect(await json<LiveState & { explains: boolean }>('/api/state')).toMatchObject({ explains: true });
    const asked = '/api/explain?from=web&method=post&url=http://cart/x%3Fa=1&header=End-User:%20jason&header=x-a:';
    expect(await json(asked)).toEqual({
      question: {
        from: 'web',
        namespace: 'default',
        method: 'POST',
        url: 'http://cart/x?a=1',
        headers: [
          ['end-user', 'jason'],
          ['x-a', ''],
        ],
      },
    });
  });

  it.each([
    ['/api/explain?url=http://cart/', 'who calls? Give from='],
    ['/api/explain?from=web', 'which URL? Give url='],
    ['/api/explain?from=web&url=file:///etc/passwd', 'which URL? Give url='],
    ['/api/explain?from=web&url=http://cart/&header=jason', 'header "jason" is no line "name: value"'],
    ['/api/explain?from=nobody&url=http://cart/', 'no client nobody.default is connected'],
  ])('says what is wrong with the question %s', async (path, text) => {
    expect(await get(path)).toMatchObject({ status: 400, body: expect.stringContaining(text) });
  });

  it('shows the findings with their place', async () => {
    writeFileSync(join(dir, 'broken.yaml'), 'kind: [\n');
    await expect
      .poll(async () => (await json<LiveState>('/api/state')).findings[0])
      .toMatchObject({
        severity: 'error',
        file: 'broken.yaml',
        text: expect.stringMatching(/^broken\.yaml:\d+: .*the document is not used \[RIPSTOP_YAML\]$/),
      });
  });

  it('draws the graph from what services count', async () => {
    const labels = (code: string): string =>
      `reporter="source",source_canonical_service="web",source_workload_namespace="default",destination_service_name="cart",destination_service_namespace="default",destination_canonical_revision="v1",destination_workload="cart-v1",connection_security_policy="mutual_tls",response_code="${code}"`;
    const text = (ok: number, failed: number): string =>
      [
        `istio_requests_total{${labels('200')}} ${ok}`,
        `istio_requests_total{${labels('503')}} ${failed}`,
        `istio_request_duration_milliseconds_bucket{${labels('200')},le="10"} ${ok}`,
        `istio_request_duration_milliseconds_bucket{${labels('200')},le="+Inf"} ${ok}`,
      ].join('\n');
    plane.graph.add('web-1.default', text(0, 0), Date.now());
    plane.graph.add('web-1.default', text(30, 10), Date.now());
    const { seconds, edges } = await json<{ seconds: number; edges: object[] }>('/api/graph?seconds=10');
    expect(seconds).toBe(10);
    expect(edges).toEqual([
      {
        source: 'web',
        sourceNamespace: 'default',
        target: 'cart',
        targetNamespace: 'default',
        requests: 40,
        rps: 4,
        errorPercent: 25,
        p50Ms: 5,
        p99Ms: 9.9,
        mtls: true,
        versions: { v1: 40 },
      },
    ]);
    for (const seconds of ['', '0', '-1', 'x', '1e9']) expect((await get(`/api/graph?seconds=${seconds}`)).status).toBe(200);
  });

  it('dumps what a connected client has, as Envoy does, and takes short names, and names who is connected when asked for another', async () => {
    await connected('web-1', 4001);
    const { configs } = await json<{ configs: Record<string, unknown>[] }>('/debug/config_dump?proxyID=web-1.default');
    expect(configs.map((config) => config['@type'])).toEqual(
      ['Clusters', 'Listeners', 'Routes', 'Endpoints'].map((kind) => `type.googleapis.com/envoy.admin.v3.${kind}ConfigDump`),
    );
    const clusters = configs[0]!.dynamic_active_clusters as { cluster: { name: string; eds_cluster_config?: object } }[];
    expect(clusters.map(({ cluster }) => cluster.name)).toContain('outbound|80||cart.default.svc.cluster.local');
    expect(await get('/debug/config_dump?proxyID=nobody')).toMatchObject({
      status: 400,
      body: 'proxyID=nobody is not connected; connected are: web-1.default\n',
    });
    for (const short of ['web-1', 'web', 'web.default']) expect((await get(`/debug/config_dump?proxyID=${short}`)).status).toBe(200);
    await connected('web-2');
    expect((await get('/debug/config_dump?proxyID=web-2')).status).toBe(200);
    expect(await get('/debug/config_dump?proxyID=web')).toMatchObject({
      status: 400,
      body: 'proxyID=web may be each of these, name one: web-1.default, web-2.default\n',
    });
  });

  it('shows documents, services, endpoints and instances, and of a Secret its name only', async () => {
    // As `kubectl get -o yaml` writes it after `kubectl apply`.
    const annotations = `{ kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"key":"hidden-value"}}' }`;
    const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: s, annotations: ${annotations} }\nstringData: { key: hidden-value }\n`;
    writeFileSync(join(dir, 'secret.yaml'), secret);
    await connected('web-1', 4001);
    await expect.poll(async () => (await get('/debug/configz')).body).toContain('"Secret"');
    for (const path of Object.keys(await json<Record<string, string>>('/debug/list'))) {
      const { status, body } = await get(path.replace('<name>.<namespace>', 'web-1.default').replace('<service>', 'web'));
      expect([path, status]).toEqual([path, 200]);
      expect(body).not.toContain('hidden-value');
    }
    const endpoints = await json<{ service: string; endpoints: { port: number }[] }[]>('/debug/endpointz');
    expect(endpoints.find(({ service: host }) => host.startsWith('web.'))!.endpoints.map(({ port }) => port)).toEqual([4001]);
    expect(await get('/debug/unknown')).toMatchObject({ status: 404 });
  });

  it('counts for a Prometheus what istiod counts', async () => {
    const { body } = await get('/metrics');
    expect(body).toMatch(/^pilot_xds\{version=""\} 0$/m);
    expect(body).toMatch(/^pilot_services 2$/m);
    expect(body).toMatch(/^galley_validation_passed\{resource="Service"\} 2$/m);
  });

  it.each([
    ['/nowhere', {}, 404],
    ['//', {}, 404],
    ['/', { method: 'POST' }, 405],
    ['/', { host: 'evil.example' }, 403],
    ['/api/state', { host: 'evil.example:15014' }, 403],
    ['/ready', { host: '127.0.0.1:15014' }, 200],
    ['/ready', { host: '[::1]:15014' }, 200],
    ['/ready', { host: 'mesh.localhost' }, 200],
  ])('answers %s %j with %d', async (path, options, status) => {
    expect((await get(path, options)).status).toBe(status);
  });

  it('shows other machines that it is ready and what it counts, and nothing of the mesh', async (context) => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
    if (own === undefined) return context.skip('skipped: this machine has no address but loopback');
    await using open = createControlPlane({ source: dir, xds: '', xdsTls: '', http: '0.0.0.0:0' });
    const { http } = await open.start();
    const from = async (address: string, path: string) => (await fetch(`http://${address}:${http.split(':')[1]}${path}`)).status;
    for (const path of ['/ready', '/metrics']) expect([path, await from(own, path)]).toEqual([path, 200]);
    for (const path of ['/', '/debug/configz', '/debug/syncz', '/api/state']) expect([path, await from(own, path)]).toEqual([path, 403]);
    expect(await from('127.0.0.1', '/debug/syncz')).toBe(200);
  });

  it('says of one client and of the mesh what istiod says under these names', async () => {
    await connected('web-1', 4001);
    const endpoints = await json<{ cluster_name: string }[]>('/debug/edsz?proxyID=web-1.default');
    expect(endpoints.map(({ cluster_name: name }) => name)).toContain('outbound|80||web.default.svc.cluster.local');
    expect(await json('/debug/mesh')).toMatchObject({ trustDomain: 'cluster.local', rootNamespace: 'istio-system' });
    expect(await json('/debug/push_status')).toMatchObject({ services: 2, clients: 1 });
    expect(await get('/debug/edsz?proxyID=nobody')).toMatchObject({ status: 400 });
  });

  it('survives what is no HTTP', async () => {
    const [address, port] = plane.addresses.http.split(':');
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), address!, () =>
        socket.end('GET http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n\0\x01garbage\r\n\r\n'),
      );
      socket
        .resume()
        .on('error', () => {})
        .on('close', () => resolve());
    });
    expect((await get('/ready')).status).toBe(200);
  });
});
