import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Filter, localReply, Pipeline, SnapshotRef, type TelemetrySink } from '@ripstop/core';
import { MeshDispatcher } from '@ripstop/undici';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../../server/src/testing/raw-client.ts';
import { chainsOf, type Finished, ServerDouble } from '../../server/src/testing/server-double.ts';
import { forwardTo, realClock, TestCluster, testEndpoint } from '../../undici/src/testing/mesh-double.ts';
import { createForwarder } from './forwarder.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

interface GatewayDouble {
  readonly client: RawClient;
  readonly finished: Finished[];
  readonly upstream: Server;
  readonly cluster: TestCluster;
  readonly listener: ServerDouble;
}

/** A gateway's listener in front of one upstream. */
async function gatewayTo(app: RequestListener, filters: readonly Filter[] = []): Promise<GatewayDouble> {
  const upstream = createServer(app);
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    upstream.close();
    upstream.closeAllConnections();
  });
  const finished: Finished[] = [];
  const cluster = new TestCluster('app', [testEndpoint((upstream.address() as AddressInfo).port)]);
  const pipeline = new Pipeline({ clock: realClock, random: () => 0.5 });
  const telemetry: TelemetrySink = {
    onStart() {},
    run: (_x, run) => run(),
    current: () => undefined,
    onEnd: (x, outcome) => finished.push({ x, outcome }),
  };
  const dispatcher = new MeshDispatcher({
    snapshots: new SnapshotRef(),
    pipeline,
    telemetry,
    clock: realClock,
    random: () => 0.5,
    log: (line) => expect.unreachable(line),
  });
  cleanups.push(() => dispatcher.destroy());
  const listener = await ServerDouble.start(() => expect.unreachable('no app stands behind a gateway'), {
    chains: chainsOf('DISABLE', { action: forwardTo(cluster), filters, manager: { useRemoteAddress: true } }),
    clusters: new Map([['app', cluster]]),
    forwarder: createForwarder({ dispatcher, clock: realClock, telemetry }, 'edge'),
  });
  cleanups.push(() => listener[Symbol.asyncDispose]());
  const client = await RawClient.open(listener.port);
  cleanups.push(() => client.close());
  return { client, finished, upstream, cluster, listener };
}

const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

describe('a gateway', () => {
  it('carries heads, bodies, statuses and repeated headers both ways', async () => {
    const { client, finished } = await gatewayTo((request, response) => {
      response.writeHead(201, ['x-from', 'app', 'set-cookie', 'a=1', 'set-cookie', 'b=2']);
      request.pipe(response);
    });
    client.write('POST /x?y=1 HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
    const response = await client.response();
    expect([response.status, response.body, response.header('x-from')]).toEqual([201, 'abcdefg', 'app']);
    expect(response.header('set-cookie')).toBe('a=1,b=2');
    expect(response.header('server')).toBe('istio-envoy');
    expect((await client.get('/again')).status).toBe(201);
    await expect.poll(() => finished.length, { interval: 1 }).toBe(2);
    expect(finished[0]!.outcome).toMatchObject({ status: 201, requestBytes: 7, responseBytes: 7 });
  });

  it('sends on no header of its caller’s connection, and the caller none of the upstream’s', async () => {
    const { client } = await gatewayTo((request, response) => {
      response.setHeader('x-seen', request.rawHeaders.join('|'));
      response.setHeader('proxy-connection', 'x');
      response.end();
    });
    const response = await client.get(
      '/',
      'Connection: x-hop, keep-alive\r\nx-hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nProxy-Connection: x\r\n',
    );
    expect(response.header('x-seen')).not.toMatch(/x-hop|keep-alive\|5|gzip|proxy-connection/i);
    expect(response.header('proxy-connection')).toBeUndefined();
  });

  it('answers HEAD, 204 and 304 without a body, and carries trailers', async () => {
    const { client } = await gatewayTo((request, response) => {
      if (/^\/\d/.test(request.url!)) response.statusCode = Number(request.url!.slice(1));
      if (request.url === '/trailers') {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      } else {
        if (request.method === 'HEAD') response.setHeader('content-length', 4);
        response.end('body');
      }
    });
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    const head = await client.response('HEAD');
    expect([head.status, head.header('content-length')]).toEqual([200, '4']);
    expect((await client.get('/204')).status).toBe(204);
    expect((await client.get('/304')).status).toBe(304);
    expect((await client.get('/trailers')).trailers).toEqual(['x-sum: 7']);
  });

  it('carries header bytes beyond ASCII as they are', async () => {
    const { client } = await gatewayTo((request, response) => {
      response.setHeader('x-back', Buffer.from(request.headers['x-there'] as string, 'latin1').toString('hex'));
      response.setHeader('x-bytes', 'caf\xe9');
      response.end(Buffer.from('ok'));
    });
    const response = await client.get('/', 'x-there: caf\xe9\r\n');
    expect([response.header('x-back'), response.header('x-bytes')]).toEqual(['636166e9', 'caf\xe9']);
  });

  it.each([
    ['with a length', 'Content-Length: 10\r\n\r\n', 'hello', 'again', '10'],
    ['in pieces', 'Content-Length: 3\r\n\r\na', 'b', 'c', '3'],
  ])('sends the head of a body %s on before the body comes', async (_what, head, first, second, length) => {
    const seen: (string | undefined)[] = [];
    const { client, finished } = await gatewayTo((request, response) => {
      seen.push(request.headers['content-length']);
      request.pipe(response);
    });
    for (let round = 1; round <= 2; round++) {
      client.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}`);
      await expect.poll(() => seen, { interval: 1 }).toHaveLength(round);
      client.write(first);
      await new Promise((resolve) => setTimeout(resolve, 10));
      client.write(second);
      const { status, body } = await client.response();
      expect([status, body]).toEqual([200, `${head.split('\r\n\r\n')[1]}${first}${second}`]);
    }
    expect(seen).toEqual([length, length]);
    await expect.poll(() => finished.map(({ outcome }) => outcome.requestBytes), { interval: 1 }).toEqual([Number(length), Number(length)]);
  });

  it.each([
    ['with bytes', ['5\r\nhello\r\n', '5\r\nagain\r\n0\r\n\r\n'], 'helloagain'],
    ['with its end alone', ['0\r\n\r\n'], ''],
    ['with its end behind it', ['5\r\nhello\r\n', '0\r\n\r\n'], 'hello'],
  ])('sends the head of a chunked body on before the body comes %s', async (_what, pieces, bytes) => {
    const seen: (string | undefined)[] = [];
    const { client, finished } = await gatewayTo((request, response) => {
      seen.push(request.headers['transfer-encoding']);
      request.pipe(response);
    });
    for (let round = 1; round <= 2; round++) {
      client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      await expect.poll(() => seen, { interval: 1 }).toHaveLength(round);
      for (const piece of pieces) {
        client.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      expect(await client.response()).toMatchObject({ status: 200, body: bytes });
    }
    expect(seen).toEqual(['chunked', 'chunked']);
    await expect.poll(() => finished.map(({ outcome }) => outcome.requestBytes), { interval: 1 }).toEqual([bytes.length, bytes.length]);
  });

  it('sends an empty chunked body on as one', async () => {
    const { client } = await gatewayTo(
      (request, response) => void request.resume().on('end', () => response.end(request.headers['transfer-encoding'])),
    );
    for (const method of ['POST', 'GET']) {
      client.write(`${method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
      expect(await client.response()).toMatchObject({ status: 200, body: 'chunked' });
    }
  });

  it('carries a large chunked body in one piece', async () => {
    const { client } = await gatewayTo((request, response) => void request.pipe(response));
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const piece = 'x'.repeat(65_536);
    for (let n = 0; n < 20; n++) client.write(`10000\r\n${piece}\r\n`);
    client.write('0\r\n\r\n');
    expect((await client.response()).body).toHaveLength(20 * 65_536);
  });

  it('sends on what an upstream answers before the body has come', async () => {
    const { client } = await gatewayTo((_request, response) => {
      response.writeHead(401, { connection: 'close' });
      response.end('no');
    });
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    expect((await client.response()).status).toBe(401);
  });

  it('never sends more or less of a body than its head says', async () => {
    let gone = 0;
    const { client } = await gatewayTo((request, response) => {
      request.on('error', () => gone++);
      request.resume();
      response.on('error', () => {});
    });
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.write('hell');
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.close();
    await expect.poll(() => gone, { interval: 1 }).toBe(1);
  });

  it('says 100 Continue only after the policies have', async () => {
    const deny: Filter = {
      name: 'deny',
      onRequest: (x) => (x.matchPath === '/admin' ? localReply({ status: 403, details: 'rbac', body: 'RBAC: access denied' }) : undefined),
    };
    const { client } = await gatewayTo((request, response) => void request.pipe(response), [deny]);
    const expecting = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`;
    client.write(expecting('/'));
    expect((await client.head()).status).toBe(100);
    client.write('body');
    expect((await client.response()).body).toBe('body');
    client.write(expecting('/admin'));
    expect((await client.head()).status).toBe(403);
  });

  it('holds an upstream back that is faster than its caller', async () => {
    const size = 16 * 1024 * 1024;
    let written = 0;
    const { client } = await gatewayTo((_request, response) => {
      const chunk = Buffer.alloc(65_536, 'x');
      response.setHeader('content-length', size);
      const more = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    client.socket.pause();
    // What lies in socket buffers between the three is a few MiB; all of it would be in the gateway otherwise.
    let before = -1;
    await expect
      .poll(
        () => {
          const stands = written === before && written > 0;
          before = written;
          return stands;
        },
        { interval: 50 },
      )
      .toBe(true);
    expect(written).toBeLessThan(size);
    client.socket.resume();
    expect((await client.response()).body).toHaveLength(size);
  });

  it('ends the call to the upstream when its caller leaves, before and in the response', async () => {
    let closed = 0;
    const { client, finished, cluster, listener } = await gatewayTo((request, response) => {
      response.on('close', () => closed++);
      if (request.url === '/part') response.write('part');
    });
    client.write('GET /silent HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => cluster.endpoints[0]!.activeRequests, { interval: 1 }).toBe(1);
    client.close();
    await expect.poll(() => closed, { interval: 1 }).toBe(1);
    const second = await RawClient.open(listener.port);
    second.write('GET /part HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => second.unread, { interval: 1 }).toContain('part');
    second.close();
    await expect.poll(() => [closed, finished.length], { interval: 1 }).toEqual([2, 2]);
    expect(cluster.endpoints[0]!.activeRequests).toBe(0);
  });

  it('refuses a body that is malformed in the middle, and ends the call to the upstream', async () => {
    let [begun, closed] = [0, 0];
    const { client, cluster, finished } = await gatewayTo((request, response) => {
      response.on('close', () => closed++);
      request.once('data', () => begun++);
    });
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
    await expect.poll(() => begun, { interval: 1 }).toBe(1);
    client.write('nonsense\r\n');
    const response = await client.response();
    expect([response.status, response.body, response.header('connection')]).toEqual([400, 'Bad Request', 'close']);
    await expect.poll(() => [closed, finished.length], { interval: 1 }).toEqual([1, 1]);
    expect(cluster.endpoints[0]!.activeRequests).toBe(0);
  });

  it('cuts the caller’s response where the upstream’s broke off', async () => {
    const { client } = await gatewayTo((_request, response) => {
      response.write('part', () => response.destroy());
    });
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.rest()).not.toContain('\r\n0\r\n');
  });

  it.each([
    ['a control byte in a header', 'HTTP/1.1 200 OK\r\nx: a\x01b\r\ncontent-length: 2\r\n\r\nok'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk'],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['no HTTP at all', 'hello\r\n\r\n'],
  ])('lives through an upstream that answers with %s, and passes none of it on', async (_what, bytes) => {
    const { client, upstream, listener } = await gatewayTo(() => {});
    upstream.removeAllListeners('connection');
    upstream.on('connection', (socket: Socket) => socket.on('error', () => {}).once('data', () => socket.end(bytes, 'latin1')));
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await client.rest()).toMatch(/^(?:HTTP\/1\.1 50[23] |$)/);
    const next = await RawClient.open(listener.port);
    cleanups.push(() => next.close());
    expect((await next.get('/', 'Connection: close\r\n').catch(() => ({ status: 0 }))).status).not.toBe(200);
  });

  it('answers 503 when nothing listens', async () => {
    const { client, upstream } = await gatewayTo((_request, response) => void response.end());
    await new Promise((resolve) => upstream.close(resolve));
    const response = await client.get();
    expect(response.status).toBe(503);
    expect(response.body).toMatch(/^upstream connect error or disconnect\/reset before headers\. reset reason: remote connection failure$/);
  });

  it('carries upgraded connections, early bytes too, until either side ends', async () => {
    const { client, upstream, finished } = await gatewayTo((_request, response) => void response.end());
    upstream.on('upgrade', (_request, socket: Socket, head: Buffer) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`);
      socket.write(head);
      socket.on('data', (chunk: Buffer) => (String(chunk) === 'bye' ? socket.end('bye') : socket.write(chunk)));
    });
    client.write(`GET /chat HTTP/1.1\r\nHost: a\r\n${websocket}\r\nearly`);
    const response = await client.response();
    expect([response.status, response.header('upgrade')]).toEqual([101, 'websocket']);
    expect(await client.bytes(5)).toBe('early');
    client.write('late');
    expect(await client.bytes(4)).toBe('late');
    client.write('bye');
    expect(await client.rest()).toBe('bye');
    await expect.poll(() => finished.length, { interval: 1 }).toBe(1);
    expect(finished[0]!.outcome.status).toBe(101);
  });

  it('passes on the answer of an upstream that takes no upgrade', async () => {
    const { client, upstream } = await gatewayTo((_request, response) => void response.end());
    upstream.on('upgrade', (_request, socket: Socket) => void socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno'));
    const response = await client.get('/chat', websocket);
    expect([response.status, response.body]).toEqual([401, 'no']);
  });

  it('survives an upgraded connection that its caller resets', async () => {
    const { client, upstream, finished } = await gatewayTo((_request, response) => void response.end());
    upstream.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.pipe(socket);
    });
    expect((await client.get('/chat', websocket)).status).toBe(101);
    client.socket.resetAndDestroy();
    await expect.poll(() => finished.length, { interval: 1 }).toBe(1);
  });

  it('is no proxy for CONNECT', async () => {
    const { client } = await gatewayTo((_request, response) => void response.end());
    client.write('CONNECT evil:443 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response()).status).toBe(404);
  });
});
