import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { formatResponseFlags, localReply } from '@ripstop/core';
import { Agent, type Dispatcher, request, fetch as undiciFetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { createMeshInterceptor } from './interceptor.ts';
import { createMeshFetch } from './mesh-fetch.ts';
import { Counter, forwardTo, retryOn, TestCluster, testEndpoint } from './testing/mesh-double.ts';
import { bodyOf, cleanups, flagsOf, meshOf, serve, tcpServer } from './testing/mesh-scene.ts';

describe('mesh dispatcher', () => {
  it('serves request, npm fetch, built-in fetch, a composed agent and createMeshFetch alike', async () => {
    const port = await serve((req, res) => req.pipe(res.setHeader('x-host', req.headers.host!)));
    const mesh = meshOf(
      [new TestCluster('c', [testEndpoint(port)])],
      forwardTo(() => 'c'),
    );
    const { dispatcher } = mesh;
    const url = 'http://reviews:9080/echo?a=1';
    const init = { method: 'POST', body: 'hello' };
    const viaRequest = await request(url, { ...init, method: 'POST', dispatcher });
    const agent = new Agent().compose(createMeshInterceptor(dispatcher));
    cleanups.push(() => agent.close());
    const viaAgent = await request(url, { ...init, method: 'POST', dispatcher: agent });
    const replies = [
      [viaRequest.headers['x-host'], await viaRequest.body.text()],
      [viaAgent.headers['x-host'], await viaAgent.body.text()],
    ];
    for (const reply of [
      await undiciFetch(url, { ...init, dispatcher }),
      await fetch(url, { ...init, dispatcher } as RequestInit),
      await createMeshFetch(dispatcher)(url, init),
    ]) {
      replies.push([reply.headers.get('x-host')!, await reply.text()]);
    }
    expect(replies).toEqual(Array.from({ length: 5 }, () => ['reviews:9080', 'hello']));
    expect(mesh.finished.map(({ outcome }) => [outcome.status, outcome.requestBytes, outcome.responseBytes])).toEqual(
      Array.from({ length: 5 }, () => [200, 5, 5]),
    );
  });

  it('sends each request to the cluster that the route chose', async () => {
    const ports = [await serve((_req, res) => res.end('v1')), await serve((_req, res) => res.end('v2'))];
    let turn = 0;
    const mesh = meshOf(
      ports.map((port, n) => new TestCluster(`v${n + 1}`, [testEndpoint(port)])),
      forwardTo(() => (turn++ % 10 === 0 ? 'v2' : 'v1')),
    );
    const counts: Record<string, number> = {};
    for (let n = 0; n < 50; n++) {
      const text = await (await request('http://reviews/', { dispatcher: mesh.dispatcher })).body.text();
      counts[text] = (counts[text] ?? 0) + 1;
    }
    expect(counts).toEqual({ v1: 45, v2: 5 });
    expect(mesh.dispatcher.connections).toBe(2);
  });

  it('turns local replies into ordinary responses, for fetch and for request', async () => {
    const mesh = meshOf([], () =>
      localReply({ status: 403, details: 'rbac_access_denied_matched_policy[none]', body: 'RBAC: access denied' }),
    );
    const viaFetch = await fetch('http://reviews/', { dispatcher: mesh.dispatcher } as RequestInit);
    expect([viaFetch.status, viaFetch.headers.get('content-type'), await viaFetch.text()]).toEqual([
      403,
      'text/plain',
      'RBAC: access denied',
    ]);
    const viaRequest = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect([viaRequest.statusCode, viaRequest.headers['content-length'], await viaRequest.body.text()]).toEqual([
      403,
      '19',
      'RBAC: access denied',
    ]);
    const grpc = await request('http://reviews/', {
      dispatcher: mesh.dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
    });
    expect([grpc.statusCode, grpc.headers['grpc-status'], grpc.headers['grpc-message']]).toEqual([200, '7', 'RBAC: access denied']);
  });

  it.each([
    ['a string', () => 'payload'],
    ['a stream', () => Readable.from(['pay', 'load'])],
  ])('replays %s on another host after a 503, and releases both leases', async (_name, body) => {
    const bad = await serve((req, res) => req.resume().on('end', () => res.writeHead(503).end('no')));
    const good = await serve((req, res) => req.pipe(res));
    const cluster = new TestCluster('c', [testEndpoint(bad), testEndpoint(good)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { retry: retryOn('5xx') }));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: body() });
    expect([reply.statusCode, await reply.body.text()]).toEqual([200, 'payload']);
    expect(mesh.finished[0]!.x.attempt).toBe(2);
    expect(cluster.outcomes).toMatchObject([{ status: 503 }, { status: 200 }]);
    expect(cluster.endpoints.map((endpoint) => endpoint.activeRequests)).toEqual([0, 0]);
  });

  it('replays a fetch body after the connection was cut before the response', async () => {
    let cut = 0;
    const port = await serve((req, res) => {
      if (cut++ === 0) req.socket.destroy();
      else req.pipe(res);
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { retry: retryOn('reset') }));
    const reply = await fetch('http://reviews/', { method: 'POST', body: 'again', dispatcher: mesh.dispatcher } as RequestInit);
    expect(await reply.text()).toBe('again');
    expect(cluster.outcomes).toMatchObject([{ kind: 'reset', reason: 'connection-termination' }, { status: 200 }]);
  });

  it('passes the 503 on when the body went over the buffer limit', async () => {
    const port = await serve((req, res) => req.resume().on('end', () => res.writeHead(503).end('busy')));
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { retry: retryOn('5xx'), bufferLimitBytes: 1_000 }));
    const body = Readable.from(Array.from({ length: 10 }, () => Buffer.alloc(200, 'x')));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body });
    expect([reply.statusCode, await reply.body.text(), mesh.finished[0]!.x.attempt]).toEqual([503, 'busy', 1]);
  });

  it.each([
    ['refused', () => 1, 503, 'UF', 'remote connection failure'],
    ['cut', async () => serve((req) => req.socket.destroy()), 503, 'UC', 'connection termination'],
    ['garbage', () => tcpServer('nonsense\r\n\r\n'), 502, 'UPE', 'protocol error'],
  ])('answers a %s upstream as Envoy does', async (_name, port, status, flags, reason) => {
    const cluster = new TestCluster('c', [testEndpoint(await port())]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect([reply.statusCode, await reply.body.text()]).toEqual([
      status,
      `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`,
    ]);
    expect(flagsOf(mesh)).toBe(flags);
  });

  it.each<[what: string, answer: string, status?: number]>([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk'],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok'],
    ['a zero byte in a header', 'HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok'],
    ['a CR alone in a header', 'HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 2\r\n\r\nok'],
    ['a protocol that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 503],
  ])('takes no response with %s, and ends the connection', async (_what, answer, status = 502) => {
    let connections = 0;
    const port = await tcpServer(answer, false, () => connections++);
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    for (const wanted of [1, 2]) {
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
      expect([reply.statusCode, connections]).toEqual([status, wanted]);
      await reply.body.dump();
    }
  });

  const EVIL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
  it.each<[what: string, status: number, answer: string]>([
    ['a response', 200, `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok${EVIL}`],
    ['a 204', 204, `HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n${EVIL}`],
    ['the last chunk', 200, `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${EVIL}`],
    [
      'a hundred interim responses',
      200,
      `${'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(100)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok${EVIL}`,
    ],
  ])('bytes behind %s answer no other request', async (_what, status, answer) => {
    const cluster = new TestCluster('c', [testEndpoint(await tcpServer(answer))]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    for (let n = 0; n < 3; n++) {
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
      expect(reply.statusCode).toBe(status);
      expect(await reply.body.text().catch(() => 'cut')).not.toContain('evil');
    }
  });

  it('hands a redirect to the caller, and follows none', async () => {
    let requests = 0;
    const port = await serve((_req, res) => {
      requests++;
      res.writeHead(303, { location: 'http://admin/' }).end();
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const reply = await request('http://reviews/', { dispatcher: meshOf([cluster], forwardTo(cluster)).dispatcher });
    await reply.body.dump();
    expect([reply.statusCode, reply.headers.location, requests]).toEqual([303, 'http://admin/', 1]);
  });

  it('times a silent upstream out with 504 UT, the whole exchange and a single try', async () => {
    let seen = 0;
    const port = await serve((_req, res) => {
      if (++seen === 3) res.end('third');
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { timeoutMs: 30 }));
    const slow = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect([slow.statusCode, await slow.body.text(), flagsOf(mesh)]).toEqual([504, 'upstream request timeout', 'UT']);
    mesh.action = forwardTo(cluster, { timeoutMs: 2_000, retry: retryOn('5xx', { perTryTimeoutMs: 30 }) });
    const retried = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect([retried.statusCode, await retried.body.text(), mesh.finished.at(-1)!.x.attempt]).toEqual([200, 'third', 2]);
    expect(cluster.outcomes).toMatchObject([{ reason: 'global-timeout' }, { reason: 'per-try-timeout' }, { status: 200 }]);
  });

  it('hedges a slow try where the route says so: whichever answers first, with the same body', async () => {
    const held: (() => void)[] = [];
    const slow = await serve(async (req, res) => {
      const body = await text(req);
      held.push(() => res.end(`slow ${body}`));
    });
    const quick = await serve(async (req, res) => res.end(`quick ${await text(req)}`));
    const cluster = new TestCluster('c', [testEndpoint(slow), testEndpoint(quick)]);
    const hedged = {
      hedgeOnPerTryTimeout: true,
      timeoutMs: 5_000,
      retry: retryOn('retriable-4xx', { perTryTimeoutMs: 30, numRetries: 1 }),
    };
    const mesh = meshOf([cluster], forwardTo(cluster, hedged));
    const post = (body: string) => request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: Readable.from([body]) });
    const second = await post('one');
    expect([await second.body.text(), cluster.lateCount]).toEqual(['quick one', 1]);
    expect(cluster.outcomes).toMatchObject([{ kind: 'cancelled' }, { status: 200 }]);
    expect(mesh.finished.at(-1)!.x.endpoint?.port).toBe(quick);

    const both = new TestCluster('c', [testEndpoint(slow), testEndpoint(slow)]);
    const waiting = meshOf([both], forwardTo(both, hedged));
    const reply = request('http://reviews/', { dispatcher: waiting.dispatcher, method: 'POST', body: 'two' });
    await expect.poll(() => held.length).toBe(3);
    held[1]!();
    expect(await (await reply).body.text()).toBe('slow two');
    expect(both.outcomes).toMatchObject([{ kind: 'cancelled' }, { status: 200 }]);
    expect(both.endpoints.map(({ activeRequests }) => activeRequests)).toEqual([0, 0]);
  });

  it('resets a try on which nothing happens, and retries it', async () => {
    let seen = 0;
    const port = await serve((_req, res) => {
      if (++seen === 2) res.end('second');
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { retry: retryOn('reset', { perTryIdleTimeoutMs: 30 }) }));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect(await reply.body.text()).toBe('second');
    expect(cluster.outcomes).toMatchObject([{ reason: 'per-try-idle-timeout' }, { status: 200 }]);
  });

  it('keeps its connection after a HEAD', async () => {
    let sockets = 0;
    const port = await serve(
      (_req, res) => res.setHeader('content-length', '2').end('ok'),
      (server) => server.on('connection', () => sockets++),
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    for (const method of ['HEAD', 'GET', 'HEAD'] as const) {
      const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher, method });
      expect([reply.statusCode, await reply.body.text()]).toEqual([200, method === 'GET' ? 'ok' : '']);
    }
    expect(sockets).toBe(1);
  });

  it('overflows at once when the pending slots are taken: 1 connection, 1 pending, 3 cold requests = one 200', async () => {
    const port = await serve((_req, res) => setTimeout(() => res.end('ok'), 20));
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    cluster.resources.connections = new Counter(1);
    cluster.resources.pending = new Counter(1);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const round = async (): Promise<number[]> => {
      const replies = await Promise.all([1, 2, 3].map(() => request('http://reviews/', { dispatcher: mesh.dispatcher })));
      for (const reply of replies) {
        if (reply.statusCode === 503) expect(reply.headers['x-envoy-overloaded']).toBe('true');
        await reply.body.dump();
      }
      return replies.map((reply) => reply.statusCode).sort();
    };
    expect(await round()).toEqual([200, 503, 503]);
    expect(await round()).toEqual([200, 200, 503]);
    expect(mesh.finished.map(({ x }) => formatResponseFlags(x.flags)).sort()).toEqual(['-', '-', '-', 'UO', 'UO', 'UO']);
    expect([cluster.resources.connections.peak, cluster.resources.pending.used]).toEqual([1, 0]);
  });

  it('ends an aborted request at once, frees its place and closes its connection', async () => {
    const port = await serve(() => {});
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { timeoutMs: 5_000 }));
    const abort = new AbortController();
    const pending = request('http://reviews/', { dispatcher: mesh.dispatcher, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
    expect(cluster.outcomes).toEqual([{ kind: 'cancelled' }]);
    expect([flagsOf(mesh), mesh.finished[0]!.outcome.status]).toEqual(['DC', 0]);
    await expect(
      fetch('http://reviews/', { dispatcher: mesh.dispatcher, signal: AbortSignal.timeout(20) } as RequestInit),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect.poll(() => mesh.dispatcher.connections).toBe(0);
  });

  it('streams with the back pressure of the app and delivers trailers', async () => {
    let written = 0;
    const port = await serve((_req, res) => {
      res.writeHead(200, { trailer: 'x-sum' });
      const chunk = Buffer.alloc(65_536, 'x');
      const pump = (): void => {
        while (written < 400) {
          written++;
          if (!res.write(chunk)) {
            res.once('drain', pump);
            return;
          }
        }
        res.addTrailers({ 'x-sum': 'abc' });
        res.end();
      };
      pump();
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBeLessThan(300);
    let bytes = 0;
    for await (const chunk of reply.body) bytes += (chunk as Buffer).length;
    expect([bytes, reply.trailers]).toEqual([400 * 65_536, { 'x-sum': 'abc' }]);
    expect(mesh.finished[0]!.outcome.responseBytes).toBe(bytes);
  });

  it('reports a response that breaks off as an error, once, with UPE', async () => {
    const port = await serve((_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('part');
      setTimeout(() => res.destroy(), 10);
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { retry: retryOn('5xx,reset') }));
    const reply = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    await expect(reply.body.text()).rejects.toThrow();
    expect([flagsOf(mesh), mesh.finished.length, mesh.finished[0]!.x.details]).toEqual([
      'UPE',
      1,
      'upstream_reset_after_response_started{protocol_error}',
    ]);
  });

  it("gives the app's own mistakes back to it", async () => {
    const port = await serve((_req, res) => res.end());
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    await expect(request('http://reviews/', { dispatcher: mesh.dispatcher, headers: { 'bad header': 'x' } })).rejects.toThrow(
      'invalid header key',
    );
    const broken = Readable.from(
      (async function* () {
        yield 'a';
        throw new Error('disk gone');
      })(),
    );
    await expect(request('http://reviews/', { dispatcher: mesh.dispatcher, method: 'POST', body: broken })).rejects.toThrow('disk gone');
    expect(cluster.outcomes).toEqual([{ kind: 'cancelled' }, { kind: 'cancelled' }]);
  });

  it('mirrors once, with the body and a -shadow host, and does not wait for it', async () => {
    const shadows: string[][] = [];
    const shadowPort = await serve(async (req) => {
      const told = ['x-envoy-internal', 'x-envoy-expected-rq-timeout-ms'].map((name) => req.headers[name] as string);
      shadows.push([req.headers.host!, ...told, await bodyOf(req)]);
    });
    const port = await serve((req, res) => req.pipe(res));
    const [cluster, shadow] = [new TestCluster('c', [testEndpoint(port)]), new TestCluster('shadow', [testEndpoint(shadowPort)])];
    const mirrors = [{ cluster: 'shadow', applies: () => true, appendShadowSuffix: true }];
    const mesh = meshOf([cluster, shadow], forwardTo(cluster, { mirrors, timeoutMs: 15_000 }));
    const reply = await request('http://reviews:9080/', {
      dispatcher: mesh.dispatcher,
      method: 'POST',
      body: Readable.from(['mir', 'ror']),
    });
    expect(await reply.body.text()).toBe('mirror');
    await expect.poll(() => shadows).toEqual([['reviews-shadow:9080', 'true', '15000', 'mirror']]);
    expect(mesh.finished.length).toBe(1);
  });

  it('refuses new requests after close, and waits for the running ones', async () => {
    const port = await serve((_req, res) => setTimeout(() => res.end('late'), 30));
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const running = request('http://reviews/', { dispatcher: mesh.dispatcher });
    const closed = mesh.dispatcher.close();
    await expect(request('http://reviews/', { dispatcher: mesh.dispatcher })).rejects.toThrow('closed');
    expect(await (await running).body.text()).toBe('late');
    await closed;
    await expect.poll(() => mesh.dispatcher.connections).toBe(0);
  });

  it('ends what is still running when the close timeout is over', async () => {
    const port = await serve(() => {});
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster), { closeTimeoutMs: 30 });
    const hanging = request('http://reviews/', { dispatcher: mesh.dispatcher });
    await expect.poll(() => mesh.dispatcher.connections).toBe(1);
    await mesh.dispatcher.close();
    expect((await hanging).statusCode).toBe(503);
  });

  it('carries an upgrade and counts it until its socket closes', async () => {
    const port = await serve(
      () => {},
      (server) =>
        server.on('upgrade', (_req, socket) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
          socket.pipe(socket);
        }),
    );
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { timeoutMs: 5_000 }));
    const { socket } = await mesh.dispatcher.upgrade({
      origin: 'http://reviews',
      path: '/',
      protocol: 'websocket',
    } as Dispatcher.UpgradeOptions);
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    expect([cluster.endpoints[0]!.activeRequests, mesh.finished.length]).toEqual([1, 0]);
    socket.destroy();
    await expect.poll(() => mesh.finished.map(({ outcome }) => outcome.status)).toEqual([101]);
    expect([cluster.endpoints[0]!.activeRequests, mesh.dispatcher.connections]).toEqual([0, 0]);
    await expect(
      mesh.dispatcher.upgrade({ origin: 'http://reviews', path: '/', protocol: 'h2c' } as Dispatcher.UpgradeOptions),
    ).rejects.toThrow();
    expect(mesh.finished.at(-1)!.outcome.status).toBe(403);
  });

  it("forwards an exchange that a listener has begun, without the other connection's headers", async () => {
    const port = await serve((req, res) => res.end(JSON.stringify(req.headers)));
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster));
    const reply = await mesh.forward('reviews', '/x', [
      'connection',
      'keep-alive, x-hop',
      'X-Kept',
      '1',
      'transfer-encoding',
      'chunked',
      'Host',
      'reviews',
    ]);
    expect(JSON.parse(reply)).toMatchObject({ host: 'reviews', 'x-kept': '1', connection: 'keep-alive' });
    expect(JSON.parse(reply)).not.toHaveProperty('transfer-encoding');
    expect(mesh.finished.length).toBe(1);
  });

  it('ends a stream on which nothing happens: 504 SI before the response, an error within it', async () => {
    const port = await serve((req, res) => {
      if (req.url === '/begun') res.write('a');
    });
    const cluster = new TestCluster('c', [testEndpoint(port)]);
    const mesh = meshOf([cluster], forwardTo(cluster, { idleTimeoutMs: 30 }));
    const silent = await request('http://reviews/', { dispatcher: mesh.dispatcher });
    expect([silent.statusCode, await silent.body.text(), flagsOf(mesh)]).toEqual([504, 'stream timeout', 'SI']);
    const begun = await request('http://reviews/begun', { dispatcher: mesh.dispatcher });
    await expect(begun.body.text()).rejects.toMatchObject({ code: 'RIPSTOP_TIMEOUT', flags: 'SI' });
  });

  it('gives https to the own dispatcher of the app, and refuses unknown hosts under REGISTRY_ONLY', async () => {
    const seen: string[] = [];
    const direct = {
      dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
        seen.push(String(options.origin));
        handler.onResponseError?.(undefined as never, new Error('reached'));
        return true;
      },
      close: async () => {},
      destroy: async () => {},
    } as unknown as Dispatcher;
    const known = new TestCluster('outbound|443||*.example.com', []);
    const open = meshOf([known], forwardTo(known), { direct });
    await expect(request('https://any.where/', { dispatcher: open.dispatcher })).rejects.toThrow('reached');
    const closed = meshOf([known], () => localReply({ status: 502, details: 'direct_response' }), { direct });
    await expect(request('https://api.example.com/', { dispatcher: closed.dispatcher })).rejects.toThrow('reached');
    await expect(request('https://any.where/', { dispatcher: closed.dispatcher })).rejects.toMatchObject({ code: 'RIPSTOP_REGISTRY_ONLY' });
    expect(seen).toEqual(['https://any.where', 'https://api.example.com']);
  });
});
