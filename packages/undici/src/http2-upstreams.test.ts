import { once } from 'node:events';
import { constants, createServer as createHttp2Server } from 'node:http2';
import { formatResponseFlags } from '@ripstop/core';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { forwardTo, retryOn, TestCluster, testEndpoint } from './testing/mesh-double.ts';
import { cleanups, meshOf } from './testing/mesh-scene.ts';

describe('HTTP/2 upstreams', () => {
  it('speaks HTTP/2 with prior knowledge when the cluster says so, many streams on one connection', async () => {
    const server = createHttp2Server((req, res) => {
      res.setHeader('x-authority', req.authority);
      req.pipe(res);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as { port: number }).port)]);
    cluster.connection = { ...cluster.connection, protocol: 'http2' };
    const mesh = meshOf([cluster], forwardTo(cluster));
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, n) => request('http://reviews:9080/', { dispatcher: mesh.dispatcher, method: 'POST', body: `n${n}` })),
    );
    expect(await Promise.all(replies.map((reply) => reply.body.text()))).toEqual(Array.from({ length: 20 }, (_, n) => `n${n}`));
    expect([replies[0]!.headers['x-authority'], mesh.dispatcher.connections]).toEqual(['reviews:9080', 1]);
  });

  it('speaks as the caller does when the cluster says so: a gateway forwards HTTP/2 as HTTP/2', async () => {
    const server = createHttp2Server((req, res) => res.end(`HTTP/${req.httpVersion}`)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as { port: number }).port)]);
    cluster.connection = { ...cluster.connection, protocol: 'downstream' };
    const mesh = meshOf([cluster], forwardTo(cluster));
    expect(await mesh.forward('reviews', '/', [], 'http2')).toBe('HTTP/2.0');
  });

  it('a stream that an HTTP/2 upstream breaks off within the response: UR; one whose connection ends: UC', async () => {
    const server = createHttp2Server().listen(0, '127.0.0.1');
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200 });
      stream.write('begun');
      setTimeout(() => (headers[':path'] === '/reset' ? stream.destroy(new Error('broken')) : stream.session!.socket.destroy()), 20);
    });
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as { port: number }).port)]);
    cluster.connection = { ...cluster.connection, protocol: 'http2' };
    const mesh = meshOf([cluster], forwardTo(cluster));
    for (const [path, flags, detail] of [
      ['/reset', 'UR', 'remote_reset'],
      ['/gone', 'UC', 'connection_termination'],
    ] as const) {
      const reply = await request(`http://reviews${path}`, { dispatcher: mesh.dispatcher });
      await expect(reply.body.text()).rejects.toThrow();
      const { x } = mesh.finished.at(-1)!;
      expect([formatResponseFlags(x.flags), x.details]).toEqual([flags, `upstream_reset_after_response_started{${detail}}`]);
    }
  });

  it('a stream that an HTTP/2 upstream refuses is sent once more only by the retry policy, and counts', async () => {
    let streams = 0;
    const server = createHttp2Server().listen(0, '127.0.0.1');
    server.on('stream', (stream) => {
      streams++;
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as { port: number }).port)]);
    cluster.connection = { ...cluster.connection, protocol: 'http2' };
    for (const [policy, attempts] of [
      [undefined, 1],
      [retryOn('refused-stream', { numRetries: 2 }), 3],
    ] as const) {
      const mesh = meshOf([cluster], forwardTo(cluster, policy === undefined ? {} : { retry: policy }));
      streams = 0;
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: 'x' });
      const again = attempts === 1 ? '' : 'retried and the latest ';
      expect([reply.statusCode, await reply.body.text()]).toEqual([
        503,
        `upstream connect error or disconnect/reset before headers. ${again}reset reason: remote refused stream reset`,
      ]);
      const { x } = mesh.finished.at(-1)!;
      expect([streams, x.attempt, formatResponseFlags(x.flags)]).toEqual([attempts, attempts, attempts === 1 ? 'UR' : 'URX,UR']);
    }
  });

  it('a stream that an HTTP/2 upstream sends away by GOAWAY before it has read it is refused, too', async () => {
    const server = createHttp2Server().listen(0, '127.0.0.1');
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      // Streams 1, 3, …; the second of a connection was not read.
      if (stream.id === 1) stream.end('served');
      else stream.session!.goaway(constants.NGHTTP2_NO_ERROR, 1);
    });
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const cluster = new TestCluster('c', [testEndpoint((server.address() as { port: number }).port)]);
    cluster.connection = { ...cluster.connection, protocol: 'http2' };
    for (const [policy, status] of [
      [undefined, 503],
      [retryOn('refused-stream'), 200],
    ] as const) {
      const mesh = meshOf([cluster], forwardTo(cluster, policy === undefined ? {} : { retry: policy }));
      const send = async (): Promise<number> => {
        const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: 'x' });
        await reply.body.dump();
        return reply.statusCode;
      };
      expect([await send(), await send()]).toEqual([200, status]);
      const { x } = mesh.finished.at(-1)!;
      expect(x.attempt).toBe(status === 200 ? 2 : 1);
      if (status === 503) expect(formatResponseFlags(x.flags)).toBe('UR');
    }
  });
});
