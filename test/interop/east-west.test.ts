import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createGateway } from '@ripstop/gateway';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { byteCall } from './gateway/byte-client.ts';
import { ByteServer } from './gateway/byte-server.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { workloadIdentity } from './mesh/workload-identity.ts';
import { documents } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: gateways between networks beside an Envoy: ${envoy.missing}`);

const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: between, namespace: default }
spec:
  selector: { istio: eastwestgateway }
  servers:
  - { port: { number: 15443, name: tls, protocol: TLS }, tls: { mode: AUTO_PASSTHROUGH }, hosts: ["*.local"] }
  - { port: { number: 15444, name: one, protocol: TLS }, bind: 127.0.0.1, tls: { mode: AUTO_PASSTHROUGH }, hosts: ["mutual.default.svc.cluster.local"] }
`;
const HIDDEN = `apiVersion: v1
kind: Service
metadata: { name: hidden, namespace: other, annotations: { networking.istio.io/exportTo: "." } }
spec: { selector: { app: mutual }, ports: [{ name: tcp, port: 7000 }] }
`;
const SUBSET = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: mutual, namespace: default }
spec: { host: mutual, subsets: [{ name: v1, labels: { version: mutual-1 } }, { name: v2, labels: { version: none } }] }
`;

function service(name: string, app = name): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${app} }, ports: [{ name: tcp, port: 7000 }] }
`;
}

function workload(name: string, app: string, port: number, account = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec: { address: 127.0.0.1, labels: { app: ${app}, version: ${name} }, ports: { tcp: ${port} }${account === '' ? '' : `, serviceAccount: ${account}`} }
`;
}

const sni = (host: string, subset = ''): string => `outbound_.7000_.${subset}_.${host}.svc.cluster.local`;

interface Row {
  readonly name: string;
  readonly servername: string;
  readonly alpn?: readonly string[];
  /** Default 15443. */
  readonly port?: number;
  /** What the workload says first; '' = the connection gets to nobody. */
  readonly received: string;
  /** Of the access log: flags and cluster. */
  readonly line: string;
}

const WELCOME = 'spiffe://cluster.local/ns/default/sa/caller istio\n';
const MUTUAL = sni('mutual.default');
const ROWS: readonly Row[] = [
  { name: 'a service', servername: MUTUAL, received: WELCOME, line: `- ${MUTUAL} ${MUTUAL}` },
  {
    name: 'a subset',
    servername: sni('mutual.default', 'v1'),
    received: WELCOME,
    line: `- ${sni('mutual.default', 'v1')} ${sni('mutual.default', 'v1')}`,
  },
  {
    name: 'a subset without endpoints',
    servername: sni('mutual.default', 'v2'),
    received: '',
    line: `UH ${sni('mutual.default', 'v2')} ${sni('mutual.default', 'v2')}`,
  },
  { name: 'another ALPN', servername: MUTUAL, alpn: ['h2'], received: '', line: `NR ${MUTUAL} -` },
  { name: 'no ALPN', servername: MUTUAL, alpn: [], received: '', line: `NR ${MUTUAL} -` },
  { name: 'a service that is not exported', servername: sni('hidden.other'), received: '', line: `NR ${sni('hidden.other')} -` },
  { name: 'nobody', servername: 'www.example.com', received: '', line: 'NR www.example.com -' },
  {
    name: 'a service whose workloads speak no mTLS',
    servername: sni('plain.default'),
    received: '',
    line: `UH ${sni('plain.default')} ${sni('plain.default')}`,
  },
  { name: 'a server that names the host', servername: MUTUAL, port: 15444, received: WELCOME, line: `- ${MUTUAL} ${MUTUAL}` },
  {
    name: 'a host that the server does not name',
    servername: sni('plain.default'),
    port: 15444,
    received: '',
    line: `NR ${sni('plain.default')} -`,
  },
];

describe.skipIf('missing' in envoy)('a gateway between networks leads mTLS on by its server name, unopened', () => {
  const parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-east-west-'));
  const log = join(folder, 'access.log');
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const ports = { envoy: new Map<number, number>(), own: new Map<number, number>() };
  let caller: { readonly cert: string; readonly key: string; readonly ca: string };

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const format = '%DOWNSTREAM_LOCAL_ADDRESS% %RESPONSE_FLAGS% %REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER_RAW%';
    const meshConfig = JSON.stringify({ accessLogFile: log, accessLogFormat: format });
    const yaml = (mutualPort: number, plainPort: number): string =>
      documents(
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: '${meshConfig}' }\n`,
        GATEWAY,
        HIDDEN,
        SUBSET,
        service('mutual'),
        service('plain'),
        workload('mutual-1', 'mutual', mutualPort, 'mutual'),
        workload('plain-1', 'plain', plainPort),
      );
    const mesh = parts.use(await TestMesh.start(yaml(1, 1)));
    const server = await workloadIdentity(mesh, 'mutual');
    const client = await workloadIdentity(mesh, 'caller');
    parts.defer(() => server.close());
    parts.defer(() => client.close());
    const own = server.current()!;
    const mutual = parts.use(
      await ByteServer.start({
        greeting: (socket) => {
          const from = socket as TLSSocket;
          return `${from.getPeerCertificate().subjectaltname?.replace('URI:', '')} ${from.alpnProtocol}\n`;
        },
        tls: {
          cert: own.certificateChainPem,
          key: own.privateKeyPem,
          ca: own.trustBundlePem,
          requestCert: true,
          rejectUnauthorized: true,
          ALPNProtocols: ['istio'],
        },
      }),
    );
    const plain = parts.use(await ByteServer.start({ greeting: () => 'plaintext\n' }));
    await mesh.apply(yaml(mutual.port, plain.port));
    const svid = client.current()!;
    caller = { cert: svid.certificateChainPem, key: svid.privateKeyPem, ca: svid.trustBundlePem };
    const member = { serviceAccount: 'between', labels: { istio: 'eastwestgateway' } };
    const peer = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, {
        ...member,
        role: 'router',
        variant: 'delta',
        name: 'between-envoy',
        joins: true,
        flags: ['--file-flush-interval-msec', '5'],
      }),
    );
    const gateway = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member, service: 'between', role: 'router' }),
      ports: { 15443: 0, 15444: 0 },
    });
    parts.use(gateway);
    await gateway.start();
    for (const { listenerPort, port } of gateway.addresses()) ports.own.set(listenerPort, port);
    for (const { name, listenerPort } of gateway.addresses()) ports.envoy.set(listenerPort, await peer.process.listenerPort(name));
    expect(peer.relay.refusals).toEqual([]);
    expect(gateway.addresses().map(({ name }) => name)).toEqual(['0.0.0.0_15443', '127.0.0.1_15444']);
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  const linesOf = (port: number): string[] =>
    readText(log)
      .split('\n')
      .filter((line) => line.startsWith(`127.0.0.1:${port} `))
      .map((line) => line.slice(line.indexOf(' ') + 1));

  it.each(ROWS)('$name', async ({ servername, alpn = ['istio'], port = 15443, received, line }) => {
    for (const [side, at] of [
      ['Envoy', ports.envoy.get(port)!],
      ['ours', ports.own.get(port)!],
    ] as const) {
      const before = linesOf(at).length;
      const tls = { ...caller, servername, ALPNProtocols: [...alpn] };
      const outcome = await byteCall(at, { tls, ...(received === '' ? {} : { until: received }) });
      await until(`a line of ${side}`, () => linesOf(at).length > before, 3_000);
      expect.soft(outcome.received, side).toBe(received);
      expect.soft(linesOf(at).slice(before), side).toEqual([line]);
    }
  });
});

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
