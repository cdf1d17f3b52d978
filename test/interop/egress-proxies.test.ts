import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy, takesConnections } from './envoy/mesh-envoy.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: egress listeners that are a proxy, beside an Envoy: ${envoy.missing}`);

const folder = mkdtempSync(join(tmpdir(), 'ripstop-proxy-'));
const socketPath = join(folder, 'proxy.sock');

/** A host of two ports, and of the second only by a rule. */
const mesh = (first: number, second: number): string =>
  documents(
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: shop, namespace: default }
spec:
  hosts: [shop.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 8081, name: http-b, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${first}, http-b: ${second} } }]
`,
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: default }
spec:
  hosts: [shop.local]
  http:
  - { match: [{ port: 8081, uri: { prefix: /old } }], rewrite: { uri: /new }, route: [{ destination: { host: shop.local, port: { number: 8081 } } }] }
  - { match: [{ port: 8081 }], route: [{ destination: { host: shop.local, port: { number: 8081 } } }] }
  - { route: [{ destination: { host: shop.local, port: { number: 80 } } }] }
`,
    `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec:
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
  egress:
  - { port: { protocol: HTTP, name: socket }, bind: "unix://${socketPath}", hosts: ["./*"] }
  - { port: { number: 3128, protocol: HTTP_PROXY, name: proxy }, bind: 127.0.0.1, captureMode: NONE, hosts: ["./*"] }
`,
  );

/** Status and body of a request as it stands. */
function ask(socket: Socket, target: string, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(`${text.split(' ')[1]} ${text.slice(text.indexOf('\r\n\r\n') + 4).trim()}`));
    socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

describe.skipIf('missing' in envoy)('an egress listener that callers take for a proxy', () => {
  const parts = new AsyncDisposableStack();
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  let sidecar: MeshEnvoy;
  let call: (url: string) => Promise<string>;

  async function app(name: string): Promise<number> {
    const server = createServer(({ url }, response) => {
      response.setHeader('content-length', Buffer.byteLength(`${name} ${url}`));
      response.end(`${name} ${url}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const running = parts.use(await TestMesh.start(mesh(await app('first'), await app('second'))));
    sidecar = parts.use(
      await MeshEnvoy.start(envoy.path, running, { role: 'sidecar', variant: 'delta', name: 'sidecar', labels: { app: 'sidecar' } }),
    );
    await until('the socket takes connections', () => takesConnections({ path: socketPath }));
    await until('the proxy takes connections', async () =>
      takesConnections({ port: await sidecar.process.listenerPort('127.0.0.1_3128'), host: '127.0.0.1' }),
    );
    const member = await sdkMember({ mesh: running, parts }, { service: 'sdk' });
    call = async (url) => {
      const response = await member.fetch(url);
      return `${response.status} ${await response.text()}`;
    };
    expect([...sidecar.relay.refusals, ...running.refusals()]).toEqual([]);
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  const rows: readonly [string, string, string][] = [
    ['shop.local', '/old', '200 first /old'],
    ['shop.local:80', '/old', '200 first /old'],
    ['shop.local:8081', '/', '200 second /'],
    ['shop.local:8081', '/old', '200 second /new'],
  ];

  it.each(rows)('leads %s %s over a Unix socket', async (host, path, expected) => {
    expect(await ask(connect(socketPath), path, host)).toBe(expected);
  });

  it.each(rows)('leads %s %s as an HTTP proxy', async (host, path, expected) => {
    const port = await sidecar.process.listenerPort('127.0.0.1_3128');
    const socket = (): Socket => connect(port, '127.0.0.1');
    expect(await ask(socket(), path, host)).toBe(expected);
    expect(await ask(socket(), `http://${host}${path}`, host)).toBe(expected);
  });

  it.each(rows)('is what a process of ours does by itself: %s %s', async (host, path, expected) => {
    expect(await call(`http://${host}${path}`)).toBe(expected);
  });

  it('leads nowhere else', async () => {
    expect(await ask(connect(socketPath), '/', 'other.local')).toMatch(/^502/);
    await expect(call('http://other.local/')).resolves.toMatch(/^502/);
  });
});
