import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const dir = mkdtempSync(join(tmpdir(), 'ripstop-bind-'));
const socketPath = join(dir, 'edge.sock');

const server = (name: string, bind: string, port = 8080): string =>
  `{ port: { number: ${port}, name: ${name}, protocol: HTTP }, hosts: ["*"], bind: "${bind}" }`;
const TWO = server('one', '127.0.0.1');
const OTHER = server('two', '127.0.0.2');
const SOCKET = server('socket', `unix://${socketPath}`, 0);

function documents(appPort: number, servers: readonly string[]): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app }
spec: { hosts: [app.example], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: 127.0.0.1, ports: { http: ${appPort} } }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { istio: ingressgateway }, servers: [${servers.join(', ')}] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: app.example } }] }] }
`;
}

/** The body of a response to a request over a connection of its own, behind what is written first; '' = closed without one. */
function ask(to: NetConnectOpts, first = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(to, () => socket.write(`${first}GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n`));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text.slice(text.indexOf('\r\n\r\n') + 4).trim()));
  });
}

describe('a gateway listens where its Gateways say', () => {
  const app = createServer(({ headers }, response) => response.end(`from ${headers['x-forwarded-for']}`));
  const lines: string[] = [];
  let plane: ControlPlane;
  let mesh: Mesh;
  let gateway: Gateway;
  const write = (name: string, text: string): void => {
    writeFileSync(join(dir, `${name}.new`), text);
    renameSync(join(dir, `${name}.new`), join(dir, 'config', name));
  };
  const configure = (servers: readonly string[]): void => write('mesh.docs.yaml', documents((app.address() as AddressInfo).port, servers));
  const names = (): string[] => gateway.addresses().map(({ name }) => name);

  beforeAll(async () => {
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    mkdirSync(join(dir, 'config'));
    configure([TWO, OTHER, SOCKET]);
    plane = createControlPlane({ source: join(dir, 'config'), stateDir: join(dir, 'state'), xds: '127.0.0.1:0', xdsTls: '', http: '' });
    await plane.start();
    mesh = createMesh({
      role: 'router',
      service: 'edge',
      labels: { istio: 'ingressgateway' },
      xds: `grpc://${plane.addresses.xds}`,
      admin: 'off',
      log: (line) => lines.push(line),
    });
    gateway = createGateway({ mesh, ports: { 8080: 0 } });
    await gateway.start();
  });

  afterAll(async () => {
    await gateway?.close({ drainMs: 0 });
    await mesh?.close({ drainMs: 0 });
    await plane?.close();
    app.close();
    rmSync(dir, { recursive: true });
  });

  it('at several addresses with one port, and at a Unix socket', async () => {
    await vi.waitFor(() => expect(names()).toEqual([`unix://${socketPath}_0`, '127.0.0.1_8080', '127.0.0.2_8080']), { timeout: 10_000 });
    const [socket, ...addresses] = gateway.addresses();
    expect(addresses.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.2']);
    for (const { address, port } of addresses) expect(await ask({ host: address, port })).toMatch(/^from 127\.0\.0\./);
    expect(await ask({ host: '127.0.0.1', port: addresses[1]!.port })).toBe('');
    // Who calls over a Unix socket has no address.
    expect(await ask({ path: socket!.address })).toBe('from undefined');
  });

  it('one goes away without the other', async () => {
    const other = gateway.addresses().find(({ address }) => address === '127.0.0.2')!;
    configure([OTHER]);
    await vi.waitFor(() => expect(names()).toEqual(['127.0.0.2_8080']), { timeout: 10_000 });
    expect(await ask({ host: '127.0.0.2', port: other.port })).toMatch(/^from/);
    expect(await ask({ path: socketPath })).toBe('');
  });

  it('a socket that a process left behind is taken over', async () => {
    // Node removes the file of a server that closes; one that was killed leaves it.
    const leave = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', leave]);
    configure([SOCKET]);
    await vi.waitFor(async () => expect(await ask({ path: socketPath })).toBe('from undefined'), { timeout: 10_000 });
  });

  it('a port that another process has is opened when that one is gone', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.3', resolve));
    const { port } = other.address() as AddressInfo;
    lines.length = 0;
    configure([SOCKET, server('taken', '127.0.0.3', port)]);
    await vi.waitFor(
      () => expect(lines.join('\n')).toMatch(/127\.0\.0\.3_\d+ cannot be opened, and is tried again: .*something else listens there/),
      {
        timeout: 10_000,
      },
    );
    // What the others serve does not wait for it.
    expect(await ask({ path: socketPath })).toBe('from undefined');
    await new Promise((resolve) => other.close(resolve));
    await vi.waitFor(async () => expect(await ask({ host: '127.0.0.3', port })).toMatch(/^from/), { timeout: 10_000 });
    expect(lines.filter((line) => line.includes('cannot be opened'))).toHaveLength(1);
  });

  it('behind a proxy that speaks the PROXY protocol it knows the caller, and takes nobody without a header', async () => {
    write('mesh.yaml', 'defaultConfig: { gatewayTopology: { proxyProtocol: {} } }\n');
    configure([SOCKET, TWO]);
    await vi.waitFor(async () => expect(await ask({ path: socketPath })).toBe(''), { timeout: 10_000 });
    await vi.waitFor(() => expect(names()).toContain('127.0.0.1_8080'), { timeout: 10_000 });
    const { port } = gateway.addresses().find(({ address }) => address === '127.0.0.1')!;
    const line = 'PROXY TCP4 7.7.7.7 10.0.0.9 4660 443\r\n';
    for (const to of [{ path: socketPath }, { host: '127.0.0.1', port }]) {
      expect(await ask(to, line)).toBe('from 7.7.7.7');
      expect(await ask(to)).toBe('');
    }
  });
});
