import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createGateway } from '@ripstop/gateway';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { Authority, secret } from './gateway/authority.ts';
import { type ByteCall, type ByteOutcome, byteCall } from './gateway/byte-client.ts';
import { ByteServer } from './gateway/byte-server.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { workloadIdentity } from './mesh/workload-identity.ts';
import { documents } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: bytes through gateways beside an Envoy: ${envoy.missing}`);

const servers = new Authority();
const callers = new Authority();
const passed = servers.issue({ dns: ['pass.example.com'] });
const simple = servers.issue({ dns: ['simple.example.com'] });
const operator = callers.issue({ uris: ['spiffe://outside/operator'], dns: ['a.b'] });
const stranger = servers.issue({ uris: ['spiffe://outside/operator'] });

/** Ports of the gateway, and where the VirtualService of each leads. */
const TCP_PORTS = {
  plain: 9000,
  down: 9001,
  nobody: 9002,
  one: 9003,
  mutual: 9004,
  split: 9005,
  idle: 9006,
  unknown: 9007,
  resets: 9009,
  dryRun: 9010,
  short: 9011,
} as const;

function service(name: string, app = name): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  selector: { app: ${app} }
  ports: [{ name: tcp, port: 7000, targetPort: 7000 }]
`;
}

function workload(name: string, app: string, port: number, more = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec:
  address: 127.0.0.1
  labels: { app: ${app}, version: ${name} }
  ports: { tcp: ${port} }
${more}`;
}

function tcpRoute(name: string, port: number, to: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec:
  hosts: ["*"]
  gateways: [bytes]
  tcp: [{ match: [{ port: ${port} }], route: [${to}] }]
`;
}

function destination(host: string, more = ''): string {
  return `{ destination: { host: ${host}.default.svc.cluster.local, port: { number: 7000 } }${more} }`;
}

function rule(host: string, policy: string, subsets = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec: { host: ${host}.default.svc.cluster.local, trafficPolicy: { ${policy} }${subsets} }
`;
}

function policy(name: string, spec: string, dryRun = false): string {
  const annotations = dryRun ? ', annotations: { istio.io/dry-run: "true" }' : '';
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default${annotations} }
spec: { selector: { matchLabels: { istio: ingressgateway } }, ${spec} }
`;
}

function gatewayYaml(): string {
  const plain = Object.entries(TCP_PORTS).map(
    ([name, port]) => `  - { port: { number: ${port}, name: tcp-${name.toLowerCase()}, protocol: TCP }, hosts: ["*"] }\n`,
  );
  const tls = (port: number, name: string, hosts: string, settings: string): string =>
    `  - { port: { number: ${port}, name: ${name}, protocol: TLS }, hosts: [${hosts}], tls: { ${settings} } }\n`;
  const route = (name: string, port: number, sniHosts: string, to: string): string => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${sniHosts}]
  gateways: [bytes]
  tls: [{ match: [{ port: ${port}, sniHosts: [${sniHosts}] }], route: [${to}] }]
`;
  const terminated = (name: string, host: string): string => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${host}]
  gateways: [bytes]
  tcp: [{ match: [{ port: 8443 }], route: [${destination('bytes')}] }]
`;
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bytes, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
${plain.join('')}${tls(443, 'pass', 'pass.example.com, "*.pass.example.org", down.example.com, denied.example.com', 'mode: PASSTHROUGH')}${tls(8443, 'simple', 'simple.example.com', 'mode: SIMPLE, credentialName: simple')}${tls(8443, 'mutual', 'mutual.example.com', 'mode: MUTUAL, credentialName: simple')}${tls(8443, 'mesh', 'mesh.example.com', 'mode: ISTIO_MUTUAL')}${route('pass', 443, 'pass.example.com', destination('secure'))}${route('pass-wild', 443, '"*.pass.example.org"', destination('secure'))}${route('pass-down', 443, 'down.example.com', destination('down'))}${route('pass-denied', 443, 'denied.example.com', destination('secure'))}${terminated('ends-simple', 'simple.example.com')}${terminated('ends-mutual', 'mutual.example.com')}${terminated('ends-mesh', 'mesh.example.com')}`;
}

const tls = (servername: string, more: ByteCall['tls'] = {}): ByteCall['tls'] => ({ servername, ...more });
const HELLO = { send: 'hello\n', ends: true } as const;

interface Row {
  readonly name: string;
  readonly port: number;
  readonly call: ByteCall;
  /** What the caller reads, at both. */
  readonly received: string;
  readonly end?: 'closed' | ByteOutcome['end'];
  /** Flags of the access log; undefined = no line. */
  readonly flags?: string;
  /** Envoy opens a connection to the upstream while the handshake runs, and logs it; Ripstop waits for the caller to be verified. */
  readonly unlogged?: boolean;
  /** Ripstop is stricter, for this reason. */
  readonly stricter?: string;
}

const WELCOME = 'bytes-1\n';
const ECHO = `${WELCOME}hello\nbye\n`;

const ROWS: readonly Row[] = [
  { name: 'bytes both ways, ended by the caller', port: TCP_PORTS.plain, call: HELLO, received: ECHO, flags: '-' },
  {
    name: 'a caller that says nothing is greeted',
    port: TCP_PORTS.plain,
    call: { until: WELCOME },
    received: WELCOME,
    end: 'left',
    flags: '-',
  },
  { name: 'a caller that says nothing and ends', port: TCP_PORTS.plain, call: { ends: true }, received: `${WELCOME}bye\n`, flags: '-' },
  {
    name: 'a caller that resets',
    port: TCP_PORTS.plain,
    call: { until: WELCOME, resets: true },
    received: WELCOME,
    end: 'left',
    flags: '-',
  },
  { name: 'TLS on a port of bytes is bytes', port: TCP_PORTS.plain, call: { tls: tls('x') }, received: '', flags: '-' },
  { name: 'an endpoint that is down', port: TCP_PORTS.down, call: HELLO, received: '', flags: 'UF,URX' },
  { name: 'a service without endpoints', port: TCP_PORTS.nobody, call: HELLO, received: '', flags: 'UH' },
  {
    name: 'an endpoint of the mesh, by its certificate',
    port: TCP_PORTS.mutual,
    call: HELLO,
    received: 'spiffe://cluster.local/ns/default/sa/ingress istio\nhello\nbye\n',
    flags: '-',
  },
  { name: 'weights', port: TCP_PORTS.split, call: HELLO, received: 'bytes-2\nhello\nbye\n', flags: '-' },
  { name: 'an idle timeout', port: TCP_PORTS.idle, call: { send: 'hello\n' }, received: `${WELCOME}hello\n`, flags: '-' },
  { name: 'a longest duration', port: TCP_PORTS.short, call: { send: 'hello\n' }, received: `${WELCOME}hello\n`, flags: 'DT' },
  { name: 'a service that nobody knows', port: TCP_PORTS.unknown, call: HELLO, received: '', flags: 'NC' },
  { name: 'a dry run', port: TCP_PORTS.dryRun, call: HELLO, received: ECHO, flags: '-' },
  { name: 'an upstream that resets', port: TCP_PORTS.resets, call: { send: 'boom\n' }, received: 'resets\n', end: 'reset', flags: 'UR' },
  {
    name: 'TLS is passed through by its name',
    port: 443,
    call: { ...HELLO, tls: tls('pass.example.com') },
    received: 'secure\nhello\nbye\n',
    flags: '-',
  },
  { name: 'in capitals', port: 443, call: { ...HELLO, tls: tls('PASS.example.com') }, received: 'secure\nhello\nbye\n', flags: '-' },
  { name: 'a wildcard', port: 443, call: { ...HELLO, tls: tls('a.b.pass.example.org') }, received: 'secure\nhello\nbye\n', flags: '-' },
  { name: 'the wildcard itself', port: 443, call: { ...HELLO, tls: tls('pass.example.org') }, received: '', flags: 'NR' },
  { name: 'no name', port: 443, call: { ...HELLO, tls: {} }, received: '', flags: 'NR' },
  { name: 'no TLS where names choose', port: 443, call: { send: 'hello\n' }, received: '', flags: 'NR' },
  { name: 'a name whose endpoint is down', port: 443, call: { ...HELLO, tls: tls('down.example.com') }, received: '', flags: 'UF,URX' },
  {
    name: 'a denied name',
    port: 443,
    call: { ...HELLO, tls: tls('denied.example.com') },
    received: '',
    flags: '-',
    stricter: 'who is denied is not led to the upstream first',
  },
  { name: 'TLS ends at the gateway', port: 8443, call: { ...HELLO, tls: tls('simple.example.com') }, received: ECHO, flags: '-' },
  {
    name: 'with ALPN of HTTP',
    port: 8443,
    call: { ...HELLO, tls: tls('simple.example.com', { ALPNProtocols: ['h2', 'http/1.1'] }) },
    received: ECHO,
    flags: '-',
  },
  {
    name: 'with ALPN of something else',
    port: 8443,
    call: { ...HELLO, tls: tls('simple.example.com', { ALPNProtocols: ['postgresql'] }) },
    received: ECHO,
    flags: '-',
  },
  {
    name: 'MUTUAL with a certificate',
    port: 8443,
    call: { ...HELLO, tls: tls('mutual.example.com', operator) },
    received: ECHO,
    flags: '-',
  },
  { name: 'MUTUAL without one', port: 8443, call: { ...HELLO, tls: tls('mutual.example.com') }, received: '', flags: '-', unlogged: true },
  {
    name: 'MUTUAL with one of another CA',
    port: 8443,
    call: { ...HELLO, tls: tls('mutual.example.com', stranger) },
    received: '',
    flags: '-',
    unlogged: true,
  },
  { name: 'another name', port: 8443, call: { ...HELLO, tls: tls('other.example.com') }, received: '', flags: 'NR' },
];

describe.skipIf('missing' in envoy)('bytes through our gateway and through an Envoy that our control plane feeds', () => {
  const parts = new AsyncDisposableStack();
  const ports = { envoy: new Map<number, number>(), own: new Map<number, number>() };
  let log: string;
  let prometheus: () => string;

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-bytes-'));
    parts.defer(() => rmSync(folder, { recursive: true, force: true }));
    log = join(folder, 'access.log');
    const start = async (options: Parameters<typeof ByteServer.start>[0]): Promise<ByteServer> =>
      parts.use(await ByteServer.start(options));
    const first = await start({ greeting: () => WELCOME });
    const second = await start({ greeting: () => 'bytes-2\n' });
    const secure = await start({ greeting: () => 'secure\n', tls: passed });
    const resets = await start({ greeting: () => 'resets\n', resetsAt: 'boom' });
    const down = await ByteServer.start({ greeting: () => '' });
    await down[Symbol.asyncDispose]();
    const meshConfig = JSON.stringify({ accessLogFile: log });
    const yaml = (mutualPort: number): string =>
      documents(
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: '${meshConfig}' }\n`,
        service('bytes'),
        service('two'),
        service('secure'),
        service('down'),
        service('nobody'),
        service('one', 'bytes'),
        service('idle', 'bytes'),
        service('short', 'bytes'),
        service('mutual'),
        service('resets'),
        workload('bytes-1', 'bytes', first.port),
        workload('bytes-2', 'two', second.port),
        workload('secure-1', 'secure', secure.port),
        workload('down-1', 'down', down.port),
        workload('resets-1', 'resets', resets.port),
        workload('mutual-1', 'mutual', mutualPort, '  serviceAccount: mutual\n'),
        rule('one', 'connectionPool: { tcp: { maxConnections: 1 } }'),
        rule('idle', 'connectionPool: { tcp: { idleTimeout: 0.5s } }'),
        rule('short', 'connectionPool: { tcp: { maxConnectionDuration: 0.5s } }'),
        secret('simple', { cert: simple.cert, key: simple.key, cacert: callers.pem }),
        gatewayYaml(),
        tcpRoute('plain', TCP_PORTS.plain, destination('bytes')),
        tcpRoute('down', TCP_PORTS.down, destination('down')),
        tcpRoute('nobody', TCP_PORTS.nobody, destination('nobody')),
        tcpRoute('one', TCP_PORTS.one, destination('one')),
        tcpRoute('mutual', TCP_PORTS.mutual, destination('mutual')),
        tcpRoute('split', TCP_PORTS.split, `${destination('bytes', ', weight: 0')}, ${destination('two', ', weight: 100')}`),
        tcpRoute('idle', TCP_PORTS.idle, destination('idle')),
        tcpRoute('short', TCP_PORTS.short, destination('short')),
        tcpRoute('unknown', TCP_PORTS.unknown, destination('unheard-of')),
        tcpRoute('resets', TCP_PORTS.resets, destination('resets')),
        tcpRoute('dry-run', TCP_PORTS.dryRun, destination('bytes')),
        policy('name', 'action: DENY, rules: [{ when: [{ key: connection.sni, values: ["denied.*"] }] }]'),
        policy('perhaps', `action: DENY, rules: [{ to: [{ operation: { ports: ["${TCP_PORTS.dryRun}"] } }] }]`, true),
      );
    const mesh = parts.use(await TestMesh.start(yaml(1), ['IST0101']));
    const identity = await workloadIdentity(mesh, 'mutual');
    parts.defer(() => identity.close());
    const { certificateChainPem, privateKeyPem, trustBundlePem } = identity.current()!;
    const mutual = await start({
      greeting: (socket) => {
        const caller = socket as TLSSocket;
        return `${caller.getPeerCertificate().subjectaltname?.replace('URI:', '')} ${caller.alpnProtocol}\n`;
      },
      tls: {
        cert: certificateChainPem,
        key: privateKeyPem,
        ca: trustBundlePem,
        requestCert: true,
        rejectUnauthorized: true,
        ALPNProtocols: ['istio'],
      },
    });
    await mesh.apply(yaml(mutual.port));
    const member = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } };
    const listens = [...Object.values(TCP_PORTS), 443, 8443];
    const peer = parts.use(
      await MeshEnvoy.start((envoy as { readonly path: string }).path, mesh, {
        ...member,
        role: 'router',
        variant: 'delta',
        name: 'bytes-envoy',
        joins: true,
        flags: ['--file-flush-interval-msec', '5'],
      }),
    );
    const member2 = await sdkMember({ mesh, parts }, { ...member, service: 'ingress', role: 'router' });
    prometheus = () => member2.parts.signals.renderPrometheus();
    const own = createGateway({ mesh: member2, ports: Object.fromEntries(listens.map((port) => [port, 0])) });
    parts.use(own);
    await own.start();
    for (const { listenerPort, port } of own.addresses()) ports.own.set(listenerPort, port);
    for (const port of listens) ports.envoy.set(port, await peer.process.listenerPort(`0.0.0.0_${port}`));
    expect(peer.relay.refusals).toEqual([]);
    expect([...ports.own.keys()]).toEqual([...listens].sort((a, b) => a - b));
    await until('Envoy has its certificates', async () => {
      const outcome = await byteCall(ports.envoy.get(8443)!, { tls: tls('simple.example.com'), until: WELCOME });
      return outcome.received === WELCOME;
    });
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  /** Lines of the access log that came by a call through a port, without times and ports. */
  async function linesAfter(port: number, run: () => Promise<ByteOutcome>, expected: number): Promise<[ByteOutcome, string[]]> {
    const mine = (): string[] => readLog(log).filter((line) => line.includes(`127.0.0.1:${port} `));
    const before = mine().length;
    const outcome = await run();
    if (expected > 0)
      await until(
        `a line of ${[...ports.own.values()].includes(port) ? 'ours' : 'Envoy'}, ${outcome.end} ${JSON.stringify(outcome.received)}`,
        () => mine().length > before,
        3_000,
      );
    return [outcome, mine().slice(before).map(plain)];
  }

  it.each(ROWS)('$name: the same', async ({ port, call, received, end = 'closed', flags, stricter, unlogged = false }) => {
    const seen = async (at: number, expected: number): Promise<{ readonly outcome: object; readonly lines: readonly string[] }> => {
      const [outcome, lines] = await linesAfter(at, () => byteCall(at, call), expected);
      return { outcome: { ...outcome, end: end === 'closed' && CLOSED.has(outcome.end) ? 'closed' : outcome.end }, lines };
    };
    const theirs = await seen(ports.envoy.get(port)!, flags === undefined ? 0 : 1);
    const own = await seen(ports.own.get(port)!, flags === undefined || unlogged ? 0 : 1);
    expect.soft(theirs.outcome, 'Envoy').toMatchObject({ received, end });
    expect.soft(flagsOf(theirs.lines), 'Envoy').toEqual(flags === undefined ? [] : [flags]);
    if (unlogged) expect(own).toEqual({ ...theirs, lines: [] });
    else if (stricter === undefined) expect(own).toEqual(theirs);
    else expect({ ...own, lines: flagsOf(own.lines) }, stricter).toEqual({ ...theirs, lines: flagsOf(theirs.lines) });
  });

  it('a second connection beyond the limit: the same', async () => {
    for (const side of [ports.envoy, ports.own]) {
      const port = side.get(TCP_PORTS.one)!;
      let leave = (): void => {};
      const first = byteCall(port, { until: 'never' });
      void first.then(() => leave());
      await new Promise((resolve) => setTimeout(resolve, 300));
      const [outcome, lines] = await linesAfter(port, () => byteCall(port, HELLO), 1);
      expect(outcome.received).toBe('');
      expect(CLOSED.has(outcome.end)).toBe(true);
      expect(lines[0]).toContain(' UO ');
      leave = () => {};
      await first;
    }
  });

  it('connections and bytes are counted by Istio’s names', () => {
    const text = prometheus();
    const series = text
      .split('\n')
      .filter((line) => line.includes('istio_tcp_') && line.includes('destination_service="bytes.default.svc.cluster.local"'));
    expect(series.map((line) => line.slice(0, line.indexOf('{'))).sort()).toEqual([
      'istio_tcp_connections_closed_total',
      'istio_tcp_connections_opened_total',
      'istio_tcp_received_bytes_total',
      'istio_tcp_sent_bytes_total',
    ]);
  });
});

/** Whether an end without a byte reads as a reset depends on what the other side had not read yet. */
const CLOSED: ReadonlySet<ByteOutcome['end']> = new Set(['ended', 'reset']);

function flagsOf(lines: readonly string[]): (string | undefined)[] {
  return lines.map((line) => line.split(' ')[5]);
}

function readLog(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** Without times, own addresses and ports. */
function plain(line: string): string {
  return (
    line
      .replace(/^\[[^\]]*\]/, '[time]')
      .replace(/^(\[time\] "[^"]*" \d+ \S+ \S+ \S+ "[^"]*" \d+ \d+) \d+/, '$1 duration')
      // Handshakes that are passed through are a byte longer or shorter each time.
      .replace(/" \d{4} \d{4} duration/, '" many many duration')
      .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:port')
  );
}
