import { type AddressInfo, createServer, type Server } from 'node:net';
import { createGateway } from '@ripstop/gateway';
import { Client, type Dispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { byteCall } from './gateway/byte-client.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: PROXY headers of callers beside an Envoy: ${envoy.missing}`);

const SIGNATURE = '0d0a0d0a000d0a515549540a';

function rule(name: string, version: string): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: default }
spec: { host: ${name}.default.svc.cluster.local, trafficPolicy: { proxyProtocol: { version: ${version} } } }
`;
}

const gatewayOf = (side: string): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${side}, namespace: default }
spec:
  selector: { istio: ${side} }
  servers:
  - { port: { number: 9001, name: one, protocol: TCP }, hosts: ["*"] }
  - { port: { number: 9002, name: two, protocol: TCP }, hosts: ["*"] }
  - { port: { number: 8080, name: http, protocol: HTTP }, hosts: [line.example.com, binary.example.com] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${side}, namespace: default }
spec:
  hosts: ["*"]
  gateways: [${side}]
  tcp:
  - { match: [{ port: 9001 }], route: [{ destination: { host: line.default.svc.cluster.local, port: { number: 80 } } }] }
  - { match: [{ port: 9002 }], route: [{ destination: { host: binary.default.svc.cluster.local, port: { number: 80 } } }] }
  http:
  - { match: [{ authority: { prefix: line } }], route: [{ destination: { host: line.default.svc.cluster.local, port: { number: 80 } } }] }
  - { route: [{ destination: { host: binary.default.svc.cluster.local, port: { number: 80 } } }] }
`;

/** A server that tells what its caller said first: the header of the PROXY protocol, ports without their numbers. */
function telling(): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes: Buffer) => {
      const text = headerIn(bytes, socket.remotePort ?? 0, socket.localPort ?? 0);
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`);
    });
  });
}

function headerIn(bytes: Buffer, remotePort: number, localPort: number): string {
  const named = (port: number): string => (port === remotePort ? 'mine' : port === localPort ? 'yours' : 'other');
  if (bytes.subarray(0, 12).toString('hex') !== SIGNATURE) {
    const [, family, from, to, port, other] = bytes.toString('latin1', 0, bytes.indexOf('\r\n')).split(' ');
    return `${family} ${from} ${to} ${named(Number(port))} ${named(Number(other))}`;
  }
  const head = bytes.subarray(12, 16).toString('hex');
  if (head !== '2111000c') return head;
  return `${head} ${[...bytes.subarray(16, 20)].join('.')} ${[...bytes.subarray(20, 24)].join('.')} ${named(bytes.readUInt16BE(24))} ${named(bytes.readUInt16BE(26))}`;
}

describe.skipIf('missing' in envoy)('connections to a host with proxyProtocol', () => {
  const parts = new AsyncDisposableStack();
  const callers = new Map<string, Dispatcher>();
  const ports = new Map<string, readonly [number, number]>();

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const server = telling();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const mesh = parts.use(
      await TestMesh.start(
        documents(
          service('line'),
          service('binary'),
          workloadEntry({ name: 'line-1', app: 'line', version: 'v1', port }),
          workloadEntry({ name: 'binary-1', app: 'binary', version: 'v1', port }),
          rule('line', 'V1'),
          rule('binary', 'V2'),
          gatewayOf('envoy'),
          gatewayOf('own'),
        ),
      ),
    );
    callers.set('sdk', (await sdkMember({ mesh, parts }, { service: 'sdk' })).dispatcher);
    const member = (side: string) => ({ serviceAccount: 'ingress', labels: { istio: side } });
    const peer = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { ...member('envoy'), role: 'router', variant: 'delta', name: 'edge', joins: true }),
    );
    const gateway = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member('own'), service: 'ingress', role: 'router' }),
      ports: { 8080: 0, 9001: 0, 9002: 0 },
    });
    parts.use(gateway);
    await gateway.start();
    ports.set('envoy', [await peer.process.listenerPort('0.0.0.0_9001'), await peer.process.listenerPort('0.0.0.0_9002')]);
    const [http, ...bytes] = gateway.addresses().map((address) => address.port) as [number, number, number];
    ports.set('own', bytes as [number, number]);
    for (const [side, port] of [
      ['envoy', await peer.process.listenerPort('0.0.0.0_8080')],
      ['own gateway', http],
    ] as const) {
      const client = new Client(`http://127.0.0.1:${port}`);
      parts.defer(() => client.destroy());
      callers.set(side, client);
    }
    expect([...peer.relay.refusals, ...mesh.refusals()]).toEqual([]);
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  it.each([
    ['line', 'TCP4 127.0.0.1 127.0.0.1 other other', 'TCP4 127.0.0.1 127.0.0.1 mine yours'],
    ['binary', '2111000c 127.0.0.1 127.0.0.1 other other', '20000000'],
  ])('of requests begin with the ends of their connection, of an app with their own: %s', async (name, carried, own) => {
    for (const [side, dispatcher] of callers) {
      const host = side === 'sdk' ? name : `${name}.example.com`;
      const options = { origin: `http://${name}`, path: '/', method: 'GET', headers: { host } } as const;
      const response = await dispatcher.request(options);
      expect.soft(await response.body.text(), side).toBe(side === 'sdk' ? own : carried);
    }
  });

  it('of bytes through a gateway begin with the ends of the connection that is carried on', async () => {
    for (const [side, [line, binary]] of ports) {
      const said = async (port: number): Promise<string> => (await byteCall(port, { send: 'hello' })).received.split('\r\n\r\n')[1] ?? '';
      expect.soft(await said(line), side).toBe('TCP4 127.0.0.1 127.0.0.1 other other');
      expect.soft(await said(binary), side).toBe('2111000c 127.0.0.1 127.0.0.1 other other');
    }
  });
});
