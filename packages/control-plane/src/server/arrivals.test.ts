import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Rounds } from '../testing/rounds.ts';
import { Arrivals } from './arrivals.ts';

let parts = new DisposableStack();
afterEach(() => {
  parts.dispose();
  parts = new DisposableStack();
});

function connection(port: number): Socket {
  const socket = parts.adopt(connect(port, '127.0.0.1'), (each) => each.destroy());
  socket.on('error', () => {});
  return socket;
}

async function listening(
  letIn: (socket: Socket, all: Arrivals) => void,
  options: { readonly firstWordsMs?: number } = {},
): Promise<number> {
  const arrivals: Arrivals = new Arrivals((socket) => letIn(socket, arrivals), options);
  parts.defer(() => arrivals.destroy());
  return arrivals.listen('127.0.0.1', 0);
}

it('connections that arrive together are let in some at a time, and none of what they say is lost', async () => {
  const count = 60;
  const rounds = new Rounds();
  const words: string[] = [];
  const done = Promise.withResolvers<void>();
  const port = await listening((socket) => {
    rounds.count();
    socket.once('data', (bytes: Buffer) => {
      words.push(bytes.toString());
      if (words.length === count) done.resolve();
    });
  });
  for (let index = 0; index < count; index++) connection(port).write(`hello ${index}`);
  await done.promise;
  expect(Math.max(...rounds.counts)).toBeLessThanOrEqual(8);
  expect(words.sort()).toEqual(Array.from({ length: count }, (_, index) => `hello ${index}`).sort());
});

it('who goes with many others is closed some at a time, and what it still wanted to be told is told', async () => {
  const count = 60;
  const rounds = new Rounds();
  const all = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let [here, left] = [0, count];
  const port = await listening((socket, arrivals) => {
    arrivals.endInTurn(socket);
    socket.resume();
    socket.once('finish', () => rounds.count());
    socket.once('end', () => socket.write('farewell'));
    socket.once('close', () => {
      if (--left === 0) gone.resolve();
    });
    if (++here === count) all.resolve();
  });
  const farewells: string[] = [];
  const sockets = Array.from({ length: count }, () => connection(port).on('data', (bytes: Buffer) => farewells.push(bytes.toString())));
  for (const socket of sockets) socket.write('hello');
  await all.promise;
  for (const socket of sockets) socket.end();
  await gone.promise;
  expect(Math.max(...rounds.counts)).toBeLessThanOrEqual(8);
  expect(farewells).toEqual(Array(count).fill('farewell'));
});

it('who says nothing is not let in, and turned away after a while; so is who goes before it has said something', async () => {
  let letIn = 0;
  const port = await listening(() => letIn++, { firstWordsMs: 20 });
  const silent = connection(port);
  const hasty = connection(port);
  const gone = [silent, hasty].map((socket) => new Promise<void>((resolve) => socket.resume().once('close', () => resolve())));
  hasty.end();
  await Promise.all(gone);
  expect(letIn).toBe(0);
});

it('a port that is taken is said', async () => {
  const first = new Arrivals(() => {});
  const second = new Arrivals(() => {});
  parts.defer(() => first.destroy());
  const port = await first.listen('127.0.0.1', 0);
  await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

it('who has not been let in is turned away when the listening ends', async () => {
  let let_in = 0;
  const arrivals = new Arrivals(() => let_in++);
  const port = await arrivals.listen('127.0.0.1', 0);
  const socket = parts.adopt(connect(port, '127.0.0.1'), (each) => each.destroy());
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  arrivals.destroy();
  await closed;
  await expect(new Arrivals(() => {}).listen('127.0.0.1', port).then((at) => at === port)).resolves.toBe(true);
});
