import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { clustersOf, socketAddress, typed } from '../../simulation/xds/static-config.ts';
import { ByteServer } from '../gateway/byte-server.ts';
import { until } from '../until.ts';
import { accessLog, type NetworkPair, type Side, startNetworkPair } from './network-pair.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: filters of connections: no Envoy: ${envoy.missing}`);

const PORTS = {
  allowed: 2001,
  denied: 2002,
  shadowed: 2003,
  limited: 2004,
  slow: 2005,
  rated: 2006,
  bytes: 2007,
  switched: 2008,
  both: 2009,
} as const;
type Port = keyof typeof PORTS;

const network = (name: string, type: string, config: object): object => ({
  name: `envoy.filters.network.${name}`,
  typed_config: typed(`envoy.extensions.filters.network.${name}.v3.${type}`, config),
});
const rbac = (config: object): object => network('rbac', 'RBAC', { stat_prefix: 'cx_', ...config });
const policies = (address: string): object => ({
  friends: {
    permissions: [{ any: true }],
    principals: [{ direct_remote_ip: { address_prefix: address, prefix_len: 32 } }],
  },
});
const limit = (max_connections: number, more: object = {}): object =>
  network('connection_limit', 'ConnectionLimit', { stat_prefix: 'cx', max_connections, ...more });
const rate = (max_tokens: number, more: object = {}): object =>
  network('local_ratelimit', 'LocalRateLimit', { stat_prefix: 'cx', token_bucket: { max_tokens, fill_interval: '60s' }, ...more });

/** Network filters of each listener; `bytes` carries bytes, all others requests. */
const JUDGES: Readonly<Record<Port, readonly object[]>> = {
  allowed: [rbac({ rules: { action: 'ALLOW', policies: policies('127.0.0.2') } })],
  denied: [rbac({ rules: { action: 'DENY', policies: policies('127.0.0.2') } })],
  shadowed: [rbac({ stat_prefix: 'tcp.', shadow_rules: { action: 'DENY', policies: policies('127.0.0.2') } })],
  limited: [limit(2)],
  slow: [limit(1, { delay: '0.4s' })],
  rated: [rate(2)],
  bytes: [limit(1)],
  switched: [
    limit(1, { runtime_enabled: { default_value: false, runtime_key: 'a' } }),
    rate(1, { runtime_enabled: { default_value: false, runtime_key: 'b' } }),
  ],
  both: [rbac({ rules: { action: 'DENY', policies: policies('127.0.0.2') } }), limit(1)],
};

function listenersOf(log: string): object[] {
  return (Object.keys(PORTS) as Port[]).map((name) => ({
    name,
    address: socketAddress(PORTS[name]),
    filter_chains: [{ filters: [...JUDGES[name], name === 'bytes' ? proxy(log) : manager(name, log)] }],
  }));
}

function proxy(log: string): object {
  const access_log = accessLog(log, 'bytes %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%');
  return network('tcp_proxy', 'TcpProxy', { stat_prefix: 'bytes', cluster: 'bytes', access_log });
}

function manager(name: string, log: string): object {
  return network('http_connection_manager', 'HttpConnectionManager', {
    stat_prefix: name,
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router') }],
    route_config: { name, virtual_hosts: [{ name, domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'back' } }] }] },
    use_remote_address: true,
    access_log: accessLog(log, `${name} %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%`),
  });
}

describe.skipIf('missing' in envoy)('our gateway does as Envoy with filters of connections', () => {
  const parts = new AsyncDisposableStack();
  let pair: NetworkPair;
  const open: Socket[] = [];

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const back = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => response.end('ok'));
    await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      back.closeAllConnections();
      back.close();
    });
    const bytes = parts.use(await ByteServer.start({ greeting: () => '' }));
    const ports = { back: { ports: [(back.address() as AddressInfo).port] }, bytes: { ports: [bytes.port] } };
    const clusters = clustersOf({ filters: [], virtualHosts: [], clusters: ports });
    pair = await startNetworkPair(envoy.path, { listeners: listenersOf, clusters, ports: PORTS }, parts);
  });
  afterAll(() => {
    for (const socket of open) socket.destroy();
    return parts.disposeAsync();
  });

  /** Opens a connection and asks once: what it hears, and after how long. The connection stays open. */
  function ask(
    side: Side,
    listener: Port,
    from = '127.0.0.1',
  ): Promise<{ readonly heard: string; readonly afterMs: number; readonly socket: Socket }> {
    return new Promise((resolve) => {
      const begunAt = performance.now();
      const socket = connect({ port: pair.port(side, listener), host: '127.0.0.1', localAddress: from });
      open.push(socket);
      const done = (heard: string): void => resolve({ heard, afterMs: performance.now() - begunAt, socket });
      socket.on('error', () => {});
      socket.on('close', () => done('closed'));
      socket.on('data', (bytes) => done(bytes.toString('latin1').slice(9, 12)));
      socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    });
  }

  it.each<[Port, string, string]>([
    ['allowed', '127.0.0.1', 'closed'],
    ['allowed', '127.0.0.2', '200'],
    ['denied', '127.0.0.1', '200'],
    ['denied', '127.0.0.2', 'closed'],
    ['shadowed', '127.0.0.2', '200'],
    ['switched', '127.0.0.1', '200'],
    ['switched', '127.0.0.1', '200'],
  ])('%s, from %s: %s', async (listener, from, wanted) => {
    for (const side of ['envoy', 'own'] as const) expect([side, (await ask(side, listener, from)).heard]).toEqual([side, wanted]);
  });

  it('takes as many connections as it may, and one more when one ends', async () => {
    for (const side of ['envoy', 'own'] as const) {
      const first = await ask(side, 'limited');
      const heard = [first.heard];
      for (let n = 0; n < 3; n++) heard.push((await ask(side, 'limited')).heard);
      expect([side, heard]).toEqual([side, ['200', '200', 'closed', 'closed']]);
      first.socket.destroy();
      await until(`room at ${side}`, async () => (await ask(side, 'limited')).heard === '200');
    }
  });

  it('closes one too many late, where it is to', async () => {
    for (const side of ['envoy', 'own'] as const) {
      expect((await ask(side, 'slow')).heard).toBe('200');
      const { heard, afterMs } = await ask(side, 'slow');
      expect([side, heard]).toEqual([side, 'closed']);
      expect(Math.abs(afterMs - 400), `${side}: after ${afterMs} ms`).toBeLessThan(200);
    }
  });

  it('closes connections without a token', async () => {
    for (const side of ['envoy', 'own'] as const) {
      const heard: string[] = [];
      for (let n = 0; n < 4; n++) heard.push((await ask(side, 'rated')).heard);
      expect([side, heard]).toEqual([side, ['200', '200', 'closed', 'closed']]);
    }
  });

  it('does not count those that another filter closes', async () => {
    for (const side of ['envoy', 'own'] as const) {
      for (let n = 0; n < 3; n++) expect((await ask(side, 'both', '127.0.0.2')).heard).toBe('closed');
      expect([side, (await ask(side, 'both')).heard]).toEqual([side, '200']);
      expect([side, (await ask(side, 'both')).heard]).toEqual([side, 'closed']);
    }
  });

  it('tells of bytes that were not carried', async () => {
    for (const side of ['envoy', 'own'] as const) {
      const first = connect(pair.port(side, 'bytes'), '127.0.0.1');
      open.push(first);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await ask(side, 'bytes')).heard).toBe('closed');
      expect(await until(`a line of ${side}`, () => pair.lines(side).find((line) => line.startsWith('bytes ')))).toBe('bytes - - -');
    }
  });

  it('counts by Envoy’s names', async () => {
    const seriesOf = async (side: Side): Promise<string[]> =>
      (await pair.counters(side))
        .split('\n')
        .filter(
          (line) =>
            /^envoy_(connection_limit|local_rate|rbac|shadow|allowed|denied)/.test(line) &&
            !line.endsWith(' 0') &&
            !/active_connections/.test(line),
        )
        .map((line) => line.replace('{}', ''))
        .sort();
    expect(await seriesOf('own')).toEqual(await seriesOf('envoy'));
  });

  it('logs no request of theirs', () => {
    const linesOf = (side: Side): string[] =>
      pair
        .lines(side)
        .filter((line) => !line.startsWith('limited') && !line.startsWith('bytes'))
        .sort();
    expect(linesOf('own')).toEqual(linesOf('envoy'));
  });
});
