import { connect, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { Arrivals } from './arrivals.ts';

let parts = new DisposableStack();
afterEach(() => {
  vi.restoreAllMocks();
  parts.dispose();
  parts = new DisposableStack();
});

/** Connections to a port, each with its first words on the way, and `letIn` as long as it takes by a clock of the test. */
async function arrive(count: number, msEach: number): Promise<{ readonly rounds: readonly number[]; readonly words: readonly string[] }> {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const rounds: number[] = [];
  const words: string[] = [];
  const done = Promise.withResolvers<void>();
  const arrivals = new Arrivals((socket) => {
    nowMs += msEach;
    if (open) rounds[rounds.length - 1]!++;
    else rounds.push(1);
    open = true;
    setImmediate(() => (open = false));
    socket.once('data', (bytes: Buffer) => {
      words.push(bytes.toString());
      if (words.length === count) done.resolve();
    });
  });
  let open = false;
  parts.defer(() => arrivals.destroy());
  const port = await arrivals.listen('127.0.0.1', 0);
  for (let index = 0; index < count; index++) {
    const socket = parts.adopt(connect(port, '127.0.0.1'), (each: Socket) => each.destroy());
    socket.on('error', () => {});
    socket.write(`hello ${index}`);
  }
  await done.promise;
  return { rounds, words };
}

it('connections that arrive together are let in some at a time, and none of what they say is lost', async () => {
  const { rounds, words } = await arrive(12, 3);
  expect(Math.max(...rounds)).toBeLessThanOrEqual(2);
  expect([...words].sort()).toEqual(Array.from({ length: 12 }, (_, index) => `hello ${index}`).sort());
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
