import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '@ripstop/gateway';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: the PROXY protocol beside an Envoy: ${envoy.missing}`);

const HOST = 'shop.example.com';
const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["${HOST}"] }]
`;
const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge, namespace: default }
spec: { hosts: ["${HOST}"], gateways: [edge], http: [{ route: [{ destination: { host: echo.default.svc.cluster.local, port: { number: 80 } } }] }] }
`;
/** Each denies one path to whom it names. */
const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: addresses, namespace: default }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules:
  - { from: [{ source: { ipBlocks: ["7.7.7.7/32"] } }], to: [{ operation: { paths: [/direct] } }] }
  - { from: [{ source: { ipBlocks: ["127.0.0.1/32"] } }], to: [{ operation: { paths: [/loopback] } }] }
  - { from: [{ source: { remoteIpBlocks: ["7.7.7.7/32"] } }], to: [{ operation: { paths: [/remote] } }] }
  - { to: [{ operation: { paths: [/port], ports: ["9999"] } }] }
  - { to: [{ operation: { paths: [/own-port], ports: ["8080"] } }] }
  - { when: [{ key: destination.ip, values: ["10.0.0.9"] }], to: [{ operation: { paths: [/destination] } }] }
`;
const LINE = 'PROXY TCP4 7.7.7.7 10.0.0.9 4660 9999\r\n';
const SIGNATURE = '0d0a0d0a000d0a515549540a';
const binary = (head: string, rest: string): Buffer =>
  Buffer.from(`${SIGNATURE}${head}${(rest.length / 2).toString(16).padStart(4, '0')}${rest}`, 'hex');
const V4 = '070707070a00000912340bb8';
const V6 = '20010db8000000000000000000000001fd000000000000000000000000000009123401bb';

/** `path`: of the request behind the header. `answer`: what is told of the caller, or the status of a refusal; '' = the connection closes. */
interface Row {
  readonly name: string;
  readonly header: string | Buffer;
  readonly path?: string;
  readonly answer: string;
}

const TOLD = '7.7.7.7 7.7.7.7 http';
const ROWS: readonly Row[] = [
  { name: 'a line', header: LINE, answer: TOLD },
  { name: 'a line of IPv6', header: 'PROXY TCP6 2001:db8::1 fd00::9 4660 443\r\n', answer: '2001:db8::1 2001:db8::1 http' },
  { name: 'a line that knows nothing', header: 'PROXY UNKNOWN\r\n', answer: '127.0.0.1 127.0.0.1 http' },
  { name: 'a binary header', header: binary('2111', V4), answer: TOLD },
  { name: 'a binary header of IPv6', header: binary('2121', V6), answer: '2001:db8::1 2001:db8::1 http' },
  { name: 'a binary header with extensions', header: binary('2111', `${V4}040003616263ea0000`), answer: TOLD },
  { name: 'a binary header of the proxy itself', header: binary('2000', ''), answer: '127.0.0.1 127.0.0.1 http' },
  { name: 'a private caller', header: 'PROXY TCP4 10.1.1.1 10.0.0.9 1 2\r\n', answer: '10.1.1.1 10.1.1.1 http' },
  { name: 'no header', header: '', answer: '' },
  { name: 'a line of another protocol', header: 'PROXY UDP4 7.7.7.7 10.0.0.9 1 2\r\n', answer: '' },
  { name: 'a line without ports', header: 'PROXY TCP4 7.7.7.7 10.0.0.9\r\n', answer: '' },
  { name: 'a line with a group', header: 'PROXY TCP4 224.0.0.1 10.0.0.9 1 2\r\n', answer: '' },
  { name: 'a binary header of a Unix socket', header: binary('2131', '00'.repeat(216)), answer: '' },
  { name: 'a binary header with a broken extension', header: binary('2111', `${V4}040009`), answer: '' },
  { name: 'a rule about the address of the connection', header: LINE, path: '/direct', answer: TOLD },
  { name: 'a rule about the proxy in front', header: LINE, path: '/loopback', answer: '403' },
  { name: 'a rule about the caller', header: LINE, path: '/remote', answer: '403' },
  { name: 'a rule about the port that was called', header: LINE, path: '/port', answer: '403' },
  { name: 'a rule about the port that is listened at', header: LINE, path: '/own-port', answer: TOLD },
  { name: 'a rule about the address that was called', header: LINE, path: '/destination', answer: '403' },
];

describe.skipIf('missing' in envoy)('a gateway behind a proxy that speaks the PROXY protocol', () => {
  const parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-proxied-'));
  const log = join(folder, 'access.log');
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const ports = { envoy: 0, own: 0 };

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const app = createServer(({ headers }, response) =>
      response.end(`${headers['x-forwarded-for']} ${headers['x-envoy-external-address']} ${headers['x-forwarded-proto']}`),
    );
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void app.close());
    const format =
      '%REQ(X-Case)% %DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%';
    const meshConfig = JSON.stringify({
      accessLogFile: log,
      accessLogFormat: format,
      defaultConfig: { gatewayTopology: { proxyProtocol: {} } },
    });
    const mesh = parts.use(
      await TestMesh.start(
        documents(
          `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: '${meshConfig}' }\n`,
          GATEWAY,
          ROUTE,
          POLICY,
          service('echo'),
          workloadEntry({ name: 'echo-1', app: 'echo', version: 'v1', port: (app.address() as AddressInfo).port }),
        ),
      ),
    );
    const member = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } };
    const flags = ['--file-flush-interval-msec', '5'];
    const peer = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { ...member, role: 'router', variant: 'delta', name: 'edge-envoy', joins: true, flags }),
    );
    const gateway = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member, service: 'ingress', role: 'router' }),
      ports: { 8080: 0 },
    });
    parts.use(gateway);
    await gateway.start();
    ports.own = gateway.addresses()[0]!.port;
    ports.envoy = await peer.process.listenerPort('0.0.0.0_8080');
    expect(peer.relay.refusals).toEqual([]);
    await until('Envoy answers', async () => (await ask(ports.envoy, LINE, '/', 'first')) !== '');
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  const linesOf = (name: string): string[] =>
    readText(log)
      .split('\n')
      .filter((line) => line.startsWith(`${name} `))
      .map((line) => line.slice(name.length + 1).replace(/^127\.0\.0\.1:\d+/, '127.0.0.1:*'));

  it.each(ROWS)('reads $name as Envoy does', async ({ name, header, path = '/', answer }) => {
    const seen = async (side: 'envoy' | 'own'): Promise<readonly [string, string | undefined]> => {
      const id = `${side}-${name.replaceAll(' ', '-')}`;
      const said = await ask(ports[side], header, path, id);
      if (said !== '') await until(`a line of ${side}`, () => linesOf(id).length > 0, 3_000);
      return [said, linesOf(id)[0]];
    };
    const theirs = await seen('envoy');
    expect.soft(theirs[0], 'Envoy').toBe(answer);
    expect(await seen('own')).toEqual(theirs);
  });
});

/** The body of a response, the status of another than 200, '' when the connection closes without one. */
function ask(port: number, header: string | Buffer, path: string, id: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const done = (): void => {
      const status = text.slice(9, 12);
      const body = text.slice(text.indexOf('\r\n\r\n') + 4).trim();
      // In the place of a loopback caller Envoy writes its own address, the one of its node.
      resolve(status === '200' ? body.replace(/^192\.0\.2\.\d+ /, '127.0.0.1 ') : status);
    };
    socket.on('error', () => {});
    socket.on('close', done);
    const request = `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nX-Case: ${id}\r\nConnection: close\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(header), Buffer.from(request)]);
    // In two parts, cut in the middle of the header.
    const cut = Math.min(9, bytes.length);
    socket.write(bytes.subarray(0, cut));
    setTimeout(() => socket.write(bytes.subarray(cut)), 20);
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
