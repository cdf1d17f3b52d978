import type { Socket } from 'node:net';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { forwardTo, realClock, TestCluster, testEndpoint } from './testing/mesh-double.ts';
import { meshOf, serve, tcpServer } from './testing/mesh-scene.ts';

describe('connections to an endpoint', () => {
  it('uses a connection again, and stops before a server with a short keep-alive closes it', async () => {
    let sockets = 0;
    const port = await serve(
      (_req, res) => res.end('ok'),
      (server) => {
        server.keepAliveTimeout = 2_000;
        server.on('connection', () => sockets++);
      },
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const call = async (): Promise<number> => {
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
      await reply.body.dump();
      return reply.statusCode;
    };
    for (let n = 0; n < 5; n++) expect(await call()).toBe(200);
    expect(sockets).toBe(1);
    // The hint says 2 s; the client leaves 1 s earlier.
    await expect.poll(() => mesh.dispatcher.connections, { timeout: 1_500 }).toBe(0);
    expect(await call()).toBe(200);
  });

  it('never loses a request to a connection that the server closes between requests', async () => {
    const port = await serve((_req, res) => res.setHeader('connection', 'close').end('ok'));
    const hard = await tcpServer('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', true);
    const cluster = new TestCluster('c', [testEndpoint(port), testEndpoint(hard)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const statuses = new Set<number>();
    for (let n = 0; n < 40; n++) {
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
      statuses.add(reply.statusCode);
      await reply.body.dump();
      // The hard server closes without telling: give its FIN one turn, as a network would.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect([...statuses]).toEqual([200]);
  });

  it('closes connections that are idle for as long as the cluster says, and never where it says 0', async () => {
    const sockets: Socket[] = [];
    const port = await serve(
      (_req, res) => res.end('ok'),
      (server) => {
        server.keepAliveTimeout = 0; // Announces none.
        server.on('connection', (socket) => sockets.push(socket));
      },
    );
    for (const [idleTimeoutMs, open] of [
      [20, false],
      [0, true],
    ] as const) {
      const cluster = new TestCluster('c', [testEndpoint(port)]);
      cluster.connection = { ...cluster.connection, idleTimeoutMs };
      const mesh = meshOf([cluster], forwardTo(cluster));
      await (await request('http://reviews/', { dispatcher: mesh.dispatcher })).body.dump();
      const socket = sockets.at(-1)!;
      if (!open) await expect.poll(() => socket.closed, { timeout: 5000 }).toBe(true);
      // The default of undici would have ended it, and an hour of ours cannot be waited for.
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(socket.closed).toBe(!open);
    }
  });

  it('keeps connections that came too late for the next requests, and notices when the peer closes them', async () => {
    let sockets = 0;
    const port = await serve(
      (_req, res) => setTimeout(() => res.end('ok'), 20),
      (server) => server.on('connection', () => sockets++),
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    // Two aborted in the tick of their dispatch: their connections come, but nobody waits any more.
    const aborts = [new AbortController(), new AbortController()];
    const aborted = aborts.map(({ signal }) =>
      request('http://reviews/', { dispatcher: mesh.dispatcher, signal }).catch((error: Error) => error.name),
    );
    for (const abort of aborts) abort.abort();
    expect(await Promise.all(aborted)).toEqual(['AbortError', 'AbortError']);
    await expect.poll(() => mesh.dispatcher.connections).toBe(2);
    const replies = await Promise.all([1, 2].map(() => request('http://reviews/', { dispatcher: mesh.dispatcher })));
    expect(await Promise.all(replies.map((reply) => reply.body.text()))).toEqual(['ok', 'ok']);
    expect([sockets, cluster.resources.pending.used, cluster.resources.connections.used]).toEqual([2, 0, 2]);
  });

  it('retires a connection after its maximum number of requests', async () => {
    let sockets = 0;
    const port = await serve(
      (_req, res) => res.end('ok'),
      (server) => server.on('connection', () => sockets++),
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    cluster.connection = { ...cluster.connection, maxRequestsPerConnection: 2 };
    const mesh = meshOf([cluster], forwardTo(cluster));
    for (let n = 0; n < 6; n++) await (await request('http://reviews/', { dispatcher: mesh.dispatcher })).body.dump();
    expect(sockets).toBe(3);
  });

  it('retires a connection at its maximum age', async () => {
    let sockets = 0;
    let later = 0;
    const port = await serve(
      (_req, res) => res.end('ok'),
      (server) => server.on('connection', () => sockets++),
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    cluster.connection = { ...cluster.connection, maxConnectionDurationMs: 60_000 };
    const mesh = meshOf([cluster], forwardTo(cluster), { clock: { ...realClock, now: () => realClock.now() + later } });
    const call = async (): Promise<void> => (await request('http://reviews/', { dispatcher: mesh.dispatcher })).body.dump();
    await call();
    await call();
    expect(sockets).toBe(1);
    later = 60_000;
    await call();
    expect(sockets).toBe(2);
  });
});
