import { CheckRequest, CheckResponse } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { clustersOf, socketAddress, typed } from '../../simulation/xds/static-config.ts';
import { Authority } from '../gateway/authority.ts';
import { type ByteCall, byteCall } from '../gateway/byte-client.ts';
import { ByteServer } from '../gateway/byte-server.ts';
import { until } from '../until.ts';
import { accessLog, type NetworkPair, type Side, startNetworkPair } from './network-pair.ts';
import { ScriptedGrpc } from './scripted-grpc.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: authorizers of connections: no Envoy: ${envoy.missing}`);

const servers = new Authority();
const callers = new Authority();
const shown = servers.issue({ dns: ['bytes.example.com'] });
const named = servers.issue({ dns: ['other.example.com'], uris: ['spiffe://outside/gateway'] });
const operator = callers.issue({ uris: ['spiffe://outside/operator'], dns: ['a.b'] });

const PORTS = { plain: 1001, open: 1002, late: 1003, tls: 1004, mutual: 1005, pass: 1006, off: 1007 } as const;
type Port = keyof typeof PORTS;

const SECRETS = [
  { name: 'kubernetes://shown', tls_certificate: pairOf(shown) },
  { name: 'kubernetes://named', tls_certificate: pairOf(named) },
  { name: 'kubernetes://callers-cacert', validation_context: { trusted_ca: { inline_string: callers.pem } } },
];

function pairOf({ cert, key }: typeof shown): object {
  return { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } };
}

function transport(common: object, more: object = {}): object {
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', { common_tls_context: common, ...more }),
    },
  };
}

/** One listener per question. `ads`: where the SDK's secrets come from. */
function listenersOf(log: string, ads: object): object[] {
  const secretOf = (name: string): object => ({ name, ...ads });
  const listener = (name: Port, ask: object, chain: object = {}, more: object = {}): object => ({
    name,
    address: socketAddress(PORTS[name]),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.ext_authz',
            typed_config: typed('envoy.extensions.filters.network.ext_authz.v3.ExtAuthz', {
              stat_prefix: name,
              grpc_service: { envoy_grpc: { cluster_name: 'authz' }, timeout: '0.3s' },
              ...ask,
            }),
          },
          {
            name: 'envoy.filters.network.tcp_proxy',
            typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
              stat_prefix: name,
              cluster: 'bytes',
              access_log: accessLog(log, `${name} ${FORMAT}`),
            }),
          },
        ],
        ...chain,
      },
    ],
    ...more,
  });
  const inspected = {
    listener_filters: [{ name: 'tls', typed_config: typed('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector') }],
  };
  const everything = { include_peer_certificate: true, include_tls_session: true };
  return [
    listener('plain', everything),
    listener('open', { failure_mode_allow: true }),
    listener('late', {}),
    listener('tls', everything, transport({ tls_certificate_sds_secret_configs: [secretOf('kubernetes://shown')] }), inspected),
    listener(
      'mutual',
      everything,
      transport(
        {
          tls_certificate_sds_secret_configs: [secretOf('kubernetes://named')],
          validation_context_sds_secret_config: secretOf('kubernetes://callers-cacert'),
        },
        { require_client_certificate: true },
      ),
      inspected,
    ),
    listener('pass', everything, { filter_chain_match: { server_names: ['bytes.example.com'] } }, inspected),
    listener('off', {
      filter_enabled_metadata: { filter: 'nobody', path: [{ key: 'x' }], value: { present_match: true } },
    }),
  ];
}

const FORMAT = '%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%';
const ALLOWED = new Uint8Array();
const DENIED = CheckResponse.encode(CheckResponse.fromPartial({ status: { code: 7 } })).finish();
const HELLO = { send: 'hello\n', ends: true } as const;
const tls = (more: ByteCall['tls'] = {}): ByteCall['tls'] => ({ servername: 'bytes.example.com', ...more });
const SECURE: ByteCall = { ...HELLO, tls: tls() };
const MUTUAL: ByteCall = { ...HELLO, tls: tls(operator) };

const ROWS: readonly (readonly [port: Port, what: string, call: ByteCall, answer: ScriptedGrpc['answer'], line: string])[] = [
  ['plain', 'that lets pass', HELLO, ALLOWED, '- - -'],
  ['plain', 'that denies', HELLO, DENIED, 'UAEX ext_authz_denied -'],
  ['plain', 'that is down', HELLO, 'UNAVAILABLE', 'UAEX ext_authz_error -'],
  ['late', 'that takes too long', HELLO, 'late', 'UAEX ext_authz_error -'],
  ['open', 'that is down where that lets pass', HELLO, 'UNAVAILABLE', '- - -'],
  ['open', 'that denies where being down lets pass', HELLO, DENIED, 'UAEX ext_authz_denied -'],
  ['off', 'that is not asked', HELLO, DENIED, '- - -'],
  ['tls', 'behind TLS', SECURE, ALLOWED, '- - -'],
  ['tls', 'that denies behind TLS', SECURE, DENIED, 'UAEX ext_authz_denied -'],
  ['mutual', 'behind mutual TLS', MUTUAL, ALLOWED, '- - -'],
  ['mutual', 'that denies behind mutual TLS', MUTUAL, DENIED, 'UAEX ext_authz_denied -'],
  ['pass', 'in front of TLS that is passed through', SECURE, DENIED, 'UAEX ext_authz_denied -'],
];

/** Without what differs from connection to connection. */
function shownTo(request: CheckRequest): unknown {
  const { source, destination, ...rest } = request.attributes!;
  const side = (peer: typeof source): unknown => {
    const { address, ...more } = peer!;
    const socket = address?.address?.$case === 'socketAddress' ? address.address.value : undefined;
    expect(socket?.portSpecifier?.$case === 'portValue' ? socket.portSpecifier.value : 0).toBeGreaterThan(0);
    return { address: socket?.address, protocol: socket?.protocol, ...more };
  };
  return { ...rest, source: side(source), destination: side(destination) };
}

describe.skipIf('missing' in envoy)('our gateway does as Envoy with connections and an authorizer', () => {
  const parts = new AsyncDisposableStack();
  let authorizer: ScriptedGrpc;
  let pair: NetworkPair;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    authorizer = parts.use(await ScriptedGrpc.start('/envoy.service.auth.v3.Authorization/Check'));
    const bytes = parts.use(await ByteServer.start({ greeting: () => '' }));
    const clusters = clustersOf({
      filters: [],
      virtualHosts: [],
      clusters: { authz: { ports: [authorizer.port], http2: true }, bytes: { ports: [bytes.port] } },
    });
    pair = await startNetworkPair(envoy.path, { listeners: listenersOf, clusters, secrets: SECRETS, ports: PORTS }, parts);
  });
  afterAll(() => parts.disposeAsync());

  async function seen(side: Side, port: Port, call: ByteCall, answer: ScriptedGrpc['answer']) {
    authorizer.answer = answer;
    authorizer.asked = [];
    const mine = (): string[] => pair.lines(side);
    const before = mine().length;
    const { received } = await byteCall(pair.port(side, port), call);
    const line = await until(`a line of ${side}`, () => mine()[before]);
    return { received, line, asked: authorizer.asked.map((bytes) => shownTo(CheckRequest.decode(bytes))) };
  }

  it.each(ROWS)('%s: %s', async (port, _what, call, answer, line) => {
    const byEnvoy = await seen('envoy', port, call, answer);
    expect(byEnvoy.line).toBe(`${port} ${line}`);
    expect(await seen('own', port, call, answer)).toEqual(byEnvoy);
  });

  it('counts by Envoy’s names', async () => {
    const own = series(await pair.counters('own'));
    expect(own).not.toEqual([]);
    expect(own).toEqual(series(await pair.counters('envoy')));
  });
});

/** Counters of the filter that are not 0. Envoy counts who is not asked about with every piece of bytes. */
function series(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('envoy_ext_authz') && !line.endsWith(' 0') && !/active|disabled/.test(line))
    .map((line) => line.replace('{}', ''))
    .sort();
}
