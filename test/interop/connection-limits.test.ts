import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type StaticPair, startStaticPair } from './filters/static-mesh.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: limits of connections beside an Envoy: ${peer.missing}`);

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n';
/** Each request is sent so many milliseconds after the connection was made. */
type Sends = readonly (readonly [atMs: number, text: string])[];
const ONCE: Sends = [[0, `${GET}\r\n`]];
const LATE = 250;

const limits = (options: object, drain = '0.3s'): object => ({
  common_http_protocol_options: options,
  drain_timeout: drain,
  delayed_close_timeout: '0s',
});

/** `answers`: status, and whether its connection closes. `endsAtMs`: of the connection, 0 = it is open 1.2 s later. */
const CASES: readonly (readonly [what: string, manager: object, sends: Sends, answers: string, endsAtMs: number])[] = [
  ['idle, after a request', limits({ idle_timeout: '0.4s' }), ONCE, '200', 700],
  ['idle, and asked while it drains', limits({ idle_timeout: '0.4s' }), [...ONCE, [550, `${GET}\r\n`]], '200, 200 close', 550],
  ['idle without a limit', limits({ idle_timeout: '0s' }), ONCE, '200', 0],
  ['old', limits({ max_connection_duration: '0.4s' }), [...ONCE, [350, `${GET}\r\n`]], '200, 200', 700],
  ['old, and asked while it drains', limits({ max_connection_duration: '0.4s' }), [...ONCE, [550, `${GET}\r\n`]], '200, 200 close', 550],
  ['at its last request', limits({ max_requests_per_connection: 2 }), [...ONCE, [100, `${GET}\r\n`]], '200, 200 close', 100],
  ['asked with many lines', limits({ max_headers_count: 3 }), [[0, `${GET}a: 1\r\nb: 2\r\nc: 3\r\n\r\n`]], '431 close', 1],
  ['asked with as many lines as are taken', limits({ max_headers_count: 3 }), [[0, `${GET}a: 1\r\nb: 2\r\n\r\n`]], '200', 0],
  ['held by a slow answer', limits({ max_stream_duration: '0.2s' }), [[0, 'GET /slow HTTP/1.1\r\nhost: a\r\n\r\n']], '504', 0],
];

describe.skipIf('missing' in peer).each(CASES)('a connection that is %s', (_what, manager, sends, answers, endsAtMs) => {
  const parts = new AsyncDisposableStack();
  let pair: StaticPair;

  beforeAll(async () => {
    if ('missing' in peer) return;
    pair = await startPair(manager, parts);
  });
  afterAll(() => parts.disposeAsync());

  it.each(['envoy', 'sdk'] as const)('%s', async (side) => {
    const seen = await speak(pair.ports[side], sends);
    expect(seen.answers).toBe(answers);
    if (endsAtMs === 0) expect(Math.max(0, seen.endedAtMs)).toBe(0);
    else expect(Math.abs(seen.endedAtMs - endsAtMs), `ended at ${seen.endedAtMs} ms`).toBeLessThan(LATE);
  });
});

describe.skipIf('missing' in peer)('a connection of HTTP/2 is told of its end', () => {
  it.each([
    ['idle_timeout', { idle_timeout: '0.4s' }, 1, 400],
    ['max_connection_duration', { max_connection_duration: '0.4s' }, 1, 400],
    ['max_requests_per_connection', { max_requests_per_connection: 2 }, 2, 0],
  ])('by %s', async (_what, options, requests, toldAtMs) => {
    if ('missing' in peer) return;
    await using parts = new AsyncDisposableStack();
    const pair = await startPair(limits(options), parts);
    for (const side of ['envoy', 'sdk'] as const) {
      const seen = await speakHttp2(pair.ports[side], requests);
      expect([side, seen.statuses]).toEqual([side, Array(requests).fill(200)]);
      expect(Math.abs(seen.toldAtMs - toldAtMs), `${side}: told at ${seen.toldAtMs} ms`).toBeLessThan(LATE);
      // Ours ends when it has told, an Envoy after its drain time (docs/reference/differences.md).
      expect(seen.endedAtMs - toldAtMs, `${side}: ended at ${seen.endedAtMs} ms`).toBeLessThan(300 + LATE);
    }
  });
});

async function startPair(manager: object, parts: AsyncDisposableStack): Promise<StaticPair> {
  const back = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url !== '/slow') response.end('ok');
  });
  await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
  parts.defer(() => {
    back.closeAllConnections();
    back.close();
  });
  const virtualHosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'back' } }] }];
  const clusters = { back: { ports: [(back.address() as AddressInfo).port] } };
  if ('missing' in peer) throw new Error(peer.missing);
  return startStaticPair(peer.path, { filters: [], virtualHosts, clusters, manager }, parts);
}

function speak(port: number, sends: Sends): Promise<{ readonly answers: string; readonly endedAtMs: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let begunAt = 0;
    let open: NodeJS.Timeout | undefined;
    const done = (endedAtMs: number): void => {
      clearTimeout(open);
      const heads = text.split(/(?=HTTP\/1\.1 \d)/).filter((head) => head !== '');
      resolve({
        answers: heads.map((head) => head.slice(9, 12) + (/^connection: close\r$/im.test(head) ? ' close' : '')).join(', '),
        endedAtMs,
      });
    };
    socket.on('connect', () => {
      begunAt = performance.now();
      for (const [atMs, bytes] of sends) setTimeout(() => socket.write(bytes), atMs);
      open = setTimeout(() => {
        done(-1);
        socket.destroy();
      }, 1_200);
    });
    socket.on('data', (bytes) => (text += bytes));
    socket.on('error', reject);
    socket.on('end', () => done(Math.round(performance.now() - begunAt)));
  });
}

function speakHttp2(port: number, requests: number) {
  return new Promise<{ readonly statuses: readonly number[]; readonly toldAtMs: number; readonly endedAtMs: number }>((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const statuses: number[] = [];
    const begunAt = performance.now();
    const since = (): number => Math.round(performance.now() - begunAt);
    let toldAtMs = -1;
    session.on('error', reject);
    session.on('goaway', () => {
      if (toldAtMs < 0) toldAtMs = since();
    });
    session.on('close', () => resolve({ statuses, toldAtMs, endedAtMs: since() }));
    const next = (): void => {
      const stream = session.request({ ':path': '/' });
      stream.on('response', (headers) => statuses.push(Number(headers[':status'])));
      stream.on('end', () => statuses.length < requests && next());
      stream.resume();
    };
    next();
  });
}
