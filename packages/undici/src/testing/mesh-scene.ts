import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { formatResponseFlags } from '@ripstop/core';
import { afterEach } from 'vitest';
import { listen, MeshDouble } from './mesh-double.ts';

/** Run after the test, the last one first. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** The port of an HTTP server, closed after the test. */
export async function serve(...args: Parameters<typeof listen>): Promise<number> {
  const { port, close } = await listen(...args);
  cleanups.push(close);
  return port;
}

/** A mesh whose connections end with the test. */
export function meshOf(...args: ConstructorParameters<typeof MeshDouble>): MeshDouble {
  const mesh = new MeshDouble(...args);
  cleanups.push(() => mesh.dispatcher.destroy());
  return mesh;
}

export async function bodyOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Of the last exchange. */
export const flagsOf = (mesh: MeshDouble): string => formatResponseFlags(mesh.finished.at(-1)!.x.flags);

/** The port of a server that answers whatever comes first with these bytes. */
export async function tcpServer(answer: string, end = false, onConnection?: () => void): Promise<number> {
  const server = createTcpServer((socket) => {
    onConnection?.();
    socket.on('error', () => {});
    socket.once('data', () => (end ? socket.end(answer) : socket.write(answer)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as { port: number }).port;
}
