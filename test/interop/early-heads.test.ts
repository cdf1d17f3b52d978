import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type StaticPair, startStaticPair } from './filters/static-mesh.ts';
import { until } from './until.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: heads that go before their bodies, beside an Envoy: ${peer.missing}`);

const CHUNKED = 'transfer-encoding: chunked';
const LENGTH = 'content-length: 5';

/** `pieces`: of the body, each sent when the one before it has come. `comes`: upstream, behind the head; the break behind a chunk may come later. */
const CASES: readonly (readonly [what: string, method: string, line: string, pieces: readonly string[], comes: readonly string[]])[] = [
  ['with a length', 'POST', LENGTH, ['he', 'llo'], ['', 'he', 'hello']],
  ['in chunks', 'POST', CHUNKED, ['2\r\nhe\r\n', '0\r\n\r\n'], ['', '2\r\nhe', '2\r\nhe\r\n0\r\n\r\n']],
  ['in chunks, of a GET', 'GET', CHUNKED, ['1\r\na\r\n', '0\r\n\r\n'], ['', '1\r\na', '1\r\na\r\n0\r\n\r\n']],
  ['in no chunk but the last', 'POST', CHUNKED, ['0\r\n\r\n'], ['', '0\r\n\r\n']],
];
/** What comes with its head in one piece. */
const WHOLE: readonly (readonly [what: string, method: string, comes: string])[] = [
  ['chunked', 'POST', '0\r\n\r\n'],
  ['chunked, of a GET', 'GET', '0\r\n\r\n'],
];

describe.skipIf('missing' in peer)('the head of a request whose body', () => {
  const parts = new AsyncDisposableStack();
  let pair: StaticPair;
  let upstream = '';

  beforeAll(async () => {
    if ('missing' in peer) return;
    const open = new Set<Socket>();
    const back = createServer((socket) => {
      open.add(socket);
      upstream = '';
      socket.on('error', () => {});
      socket.on('data', (bytes) => (upstream += bytes));
    });
    await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      for (const socket of open) socket.destroy();
      back.close();
    });
    const virtualHosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'back' } }] }];
    pair = await startStaticPair(
      peer.path,
      { filters: [], virtualHosts, clusters: { back: { ports: [(back.address() as AddressInfo).port] } } },
      parts,
    );
  });
  afterAll(() => parts.disposeAsync());

  /** The framing of the request that is upstream now, and what is behind its head. */
  async function whenBehindHead(wanted: string): Promise<readonly [framing: string | undefined, behind: string]> {
    const cut = (): number => upstream.indexOf('\r\n\r\n') + 4;
    await until('the bytes to come', () => cut() > 3 && upstream.length - cut() >= wanted.length, 1_000).catch(() => {});
    return [/^(?:transfer-encoding|content-length): .*$/m.exec(upstream.slice(0, cut()))?.[0]?.trim(), upstream.slice(cut())];
  }

  describe.each(['envoy', 'sdk'] as const)('%s', (side) => {
    it.each(CASES)('comes %s is upstream before it', async (_what, method, line, pieces, comes) => {
      upstream = '';
      const socket = connect(pair.ports[side], '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`${method} / HTTP/1.1\r\nhost: a\r\n${line}\r\n\r\n`);
      for (const [at, wanted] of comes.entries()) {
        const [framing, behind] = await whenBehindHead(wanted);
        expect([framing, behind.replace(/(?<=\w)\r\n$/, '')]).toEqual([line, wanted]);
        if (pieces[at] !== undefined) socket.write(pieces[at]);
      }
      socket.destroy();
    });

    it.each(WHOLE)('is empty and %s says so', async (_what, method, comes) => {
      upstream = '';
      const socket = connect(pair.ports[side], '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`${method} / HTTP/1.1\r\nhost: a\r\n${CHUNKED}\r\n\r\n0\r\n\r\n`);
      expect(await whenBehindHead(comes)).toEqual([CHUNKED, comes]);
      socket.destroy();
    });
  });
});
