import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type FilterChain, formatResponseFlags, localReply, SnapshotRef, type TcpProxy } from '@ripstop/core';
import { MeshDispatcher } from '@ripstop/undici';
import { afterEach, describe, expect, it } from 'vitest';
import { type Finished, ServerDouble } from '../../../server/src/testing/server-double.ts';
import { Counter, realClock, TestCluster, testEndpoint } from '../../../undici/src/testing/mesh-double.ts';
import { createForwarder } from '../forwarder.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

interface Bytes {
  readonly listener: ServerDouble;
  readonly finished: Finished[];
  readonly cluster: TestCluster;
  readonly upstream: Server;
  readonly accepted: Socket[];
  readonly log: string[];
}

const ANY = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] } as const;

function chainOf(tcp: Partial<TcpProxy>): FilterChain {
  const proxy: TcpProxy = {
    manager: { name: 'bytes', accessLogs: [], metrics: [] } as unknown as TcpProxy['manager'],
    filters: [],
    chooseCluster: () => 'app',
    hash: undefined,
    idleTimeoutMs: 0,
    maxDurationMs: 0,
    maxConnectAttempts: 1,
    ...tcp,
  };
  return { name: 'bytes', match: ANY, tls: undefined, http: undefined, tcp: proxy };
}

/** A listener whose one chain carries bytes to one upstream, on its clock. */
async function bytesTo(serve: (socket: Socket) => void, tcp: Partial<TcpProxy> = {}, ports?: readonly number[]): Promise<Bytes> {
  const accepted: Socket[] = [];
  const upstream = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of accepted) socket.destroy();
    upstream.close();
  });
  const own = (upstream.address() as AddressInfo).port;
  const cluster = new TestCluster(
    'app',
    (ports ?? [own]).map((port) => testEndpoint(port === 0 ? own : port)),
  );
  const finished: Finished[] = [];
  const log: string[] = [];
  const telemetry = {
    onStart() {},
    run: <T>(_x: unknown, run: () => T) => run(),
    current: () => undefined,
    onEnd: (...ended: unknown[]) => void finished.push({ x: ended[0], outcome: ended[1] } as Finished),
  };
  const pipeline = undefined as never;
  const dispatcher = new MeshDispatcher({ snapshots: new SnapshotRef(), pipeline, telemetry, clock: realClock, random: () => 0.5 });
  cleanups.push(() => dispatcher.destroy());
  // The listener's clock comes with the listener; sessions ask for it when they begin.
  const clock = {
    now: () => listener.clock.now(),
    wallTime: () => 0,
    setTimer: (run: () => void, ms: number) => listener.clock.setTimer(run, ms),
  };
  const listener: ServerDouble = await ServerDouble.start(() => expect.unreachable('no requests here'), {
    chains: [chainOf(tcp)],
    clusters: new Map([['app', cluster]]),
    forwarder: createForwarder({ dispatcher, clock, telemetry, log: (line) => log.push(line) }, 'edge'),
  });
  cleanups.push(() => listener[Symbol.asyncDispose]());
  return { listener, finished, cluster, upstream, accepted, log };
}

/** A caller, and all that it has read when the other side has ended. */
function caller({ listener }: Bytes): { readonly socket: Socket; readonly read: Promise<string> } {
  const socket = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true });
  cleanups.push(() => socket.destroy());
  const read = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', () => resolve(`${text}<reset>`));
  });
  return { socket, read };
}

const echo = (socket: Socket): void => void socket.pipe(socket);

async function ended({ finished }: Bytes): Promise<string> {
  await expect.poll(() => finished.length, { interval: 1 }).toBe(1);
  const { x, outcome } = finished[0]!;
  return `${formatResponseFlags(x.flags, x.protocol)} ${outcome.requestBytes} ${outcome.responseBytes} ${x.terminationDetails}`.trim();
}

describe('a chain of bytes', () => {
  it('waits for no byte of the caller, and each side ends its own direction', async () => {
    const bytes = await bytesTo((socket) => {
      socket.write('welcome\n');
      socket.on('end', () => socket.end('bye\n'));
      socket.resume();
    });
    const { socket, read } = caller(bytes);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.end('I say this');
    expect(await read).toBe('welcome\nbye\n');
    expect(await ended(bytes)).toBe('- 10 12');
    expect(bytes.cluster.resources.connections.used).toBe(0);
  });

  it('reads no faster than the other side takes it', async () => {
    const bytes = await bytesTo((socket) => void socket.pause());
    const { socket } = caller(bytes);
    const megabyte = Buffer.alloc(1024 * 1024);
    let written = 0;
    await new Promise<void>((resolve) => {
      const fill = (): void => {
        for (let more = true; more && written < 256; written++) more = socket.write(megabyte);
        // What is not taken stays with the caller: kernel buffers are full, and nobody in between hoards the rest.
        setTimeout(() => (socket.writableLength > 0 ? resolve() : fill()), 50);
      };
      fill();
    });
    expect(written).toBeLessThan(256);
  });

  it('is judged before an endpoint is looked for', async () => {
    const denial = localReply({ status: 403, details: 'rbac_access_denied_matched_policy[none]' });
    const bytes = await bytesTo(echo, { filters: [{ name: 'rbac', onRequest: () => denial }] });
    expect(await caller(bytes).read).toBe('');
    expect(await ended(bytes)).toBe('- 0 0 rbac_access_denied_matched_policy[none]');
    expect(bytes.accepted).toEqual([]);
  });

  it('is closed when a filter of it fails, and the next one is served', async () => {
    const failures = [
      (): never => {
        throw new Error('at once');
      },
      () => Promise.reject(new Error('later')),
    ];
    for (const onRequest of failures) {
      const bytes = await bytesTo(echo, { filters: [{ name: 'broken', onRequest }] });
      expect(await caller(bytes).read).toBe('');
      expect(await ended(bytes)).toBe('- 0 0 ripstop_filter_failed');
      expect(bytes.accepted).toEqual([]);
      expect(bytes.log).toEqual([expect.stringMatching(/^TCP 127\.0\.0\.1:\d+: (at once|later)$/)]);
    }
  });

  it('tries as many endpoints as it may', async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const bytes = await bytesTo(echo, { maxConnectAttempts: 2 }, [port, 0]);
    const { socket, read } = caller(bytes);
    socket.end('hello');
    expect(await read).toBe('hello');
    expect(await ended(bytes)).toBe('UF 5 5');
    expect(bytes.cluster.outcomes.map(({ kind }) => kind)).toContain('reset');
  });

  it('ends by UF,URX, UH, UO and NC', async () => {
    const cases: readonly [string, Partial<TcpProxy>, (cluster: TestCluster) => void][] = [
      ['UF,URX 0 0', {}, (cluster) => cluster.endpoints.splice(0, 1, testEndpoint(1))],
      ['UH 0 0', {}, (cluster) => cluster.endpoints.splice(0)],
      ['UO 0 0', {}, (cluster) => Object.assign(cluster.resources, { connections: new Counter(0) })],
      ['NC 0 0', { chooseCluster: () => 'nobody' }, () => {}],
    ];
    for (const [flags, tcp, change] of cases) {
      const bytes = await bytesTo(echo, tcp);
      change(bytes.cluster);
      expect(await caller(bytes).read, flags).toBe('');
      expect(await ended(bytes)).toBe(flags);
    }
  });

  it('ends when nobody has said anything for its idle timeout', async () => {
    const bytes = await bytesTo(echo, { idleTimeoutMs: 1_000 });
    const { socket, read } = caller(bytes);
    socket.write('a');
    await new Promise((resolve) => socket.once('data', resolve));
    bytes.listener.clock.advance(999);
    socket.write('b');
    await new Promise((resolve) => socket.once('data', resolve));
    bytes.listener.clock.advance(999);
    expect(bytes.finished).toEqual([]);
    bytes.listener.clock.advance(1);
    expect(await read).toBe('ab');
    expect(await ended(bytes)).toBe('- 2 2');
  });

  it('ends at its longest duration, whatever is said', async () => {
    const bytes = await bytesTo(echo, { maxDurationMs: 1_000 });
    const { socket, read } = caller(bytes);
    socket.write('a');
    await new Promise((resolve) => socket.once('data', resolve));
    bytes.listener.clock.advance(1_000);
    expect(await read).toBe('a');
    expect(await ended(bytes)).toBe('DT 1 1');
  });

  it.each(['the caller', 'the upstream'])('hands a reset of %s on as a reset', async (who) => {
    const bytes = await bytesTo(echo);
    const { socket, read } = caller(bytes);
    socket.write('a');
    await new Promise((resolve) => socket.once('data', resolve));
    const [upstream] = bytes.accepted;
    const failed = new Promise((resolve) => upstream!.once('error', resolve));
    if (who === 'the caller') {
      socket.resetAndDestroy();
      expect(await failed).toMatchObject({ code: 'ECONNRESET' });
      expect(await ended(bytes)).toBe('- 1 1');
    } else {
      upstream!.resetAndDestroy();
      expect(await read).toBe('a<reset>');
      expect(await ended(bytes)).toBe('UR 1 1');
    }
  });

  it('is cut when the drain time of its listener is over, and not before', async () => {
    const bytes = await bytesTo(echo);
    const { socket, read } = caller(bytes);
    socket.write('a');
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = bytes.listener.listener.close({ drainMs: 1_000 });
    socket.write('b');
    await new Promise((resolve) => socket.once('data', resolve));
    bytes.listener.clock.advance(1_000);
    await closed;
    expect(await read).toMatch(/^ab/);
  });

  it('that configuration takes away ends after the drain time of listeners', async () => {
    const bytes = await bytesTo(echo);
    const { socket, read } = caller(bytes);
    socket.write('a');
    await new Promise((resolve) => socket.once('data', resolve));
    bytes.listener.swap([]);
    bytes.listener.clock.advance(44_999);
    expect(bytes.finished).toEqual([]);
    bytes.listener.clock.advance(1);
    expect(await read).toBe('a');
  });

  it('that cannot be enforced lets nobody in', async () => {
    const bytes = await bytesTo(echo);
    const { tcp: _, ...chain } = chainOf({});
    bytes.listener.swap([{ ...chain, tcp: undefined, refused: 'network filter x is not supported' }]);
    expect(await caller(bytes).read).toMatch(/^(<reset>)?$/);
    expect(bytes.listener.log.join()).toContain('network filter x is not supported');
    expect(bytes.accepted).toEqual([]);
  });
});
