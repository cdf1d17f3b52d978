import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createGzip, gunzipSync } from 'node:zlib';
import { compileHeaderMutations, type Filter, type LocalReply, localReply, ResponseFlag } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from './testing/raw-client.ts';
import { chainsOf, type DoubleOptions, ServerDouble } from './testing/server-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

async function serve(app: RequestListener, options: DoubleOptions = {}): Promise<ServerDouble> {
  const double = await ServerDouble.start(app, { mode: 'DISABLE', ...options });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function call(double: ServerDouble): Promise<RawClient> {
  const client = await RawClient.open(double.port);
  cleanups.push(() => client.close());
  return client;
}

/** Everything that is sent has been answered and counted. */
async function settled(double: ServerDouble, count: number): Promise<void> {
  await expect.poll(() => double.finished.length, { interval: 1 }).toBe(count);
}

const DENIED = localReply({ status: 403, details: 'rbac_access_denied_matched_policy[none]', body: 'RBAC: access denied' });
const denyAdmin: Filter = { name: 'deny', onRequest: (x) => (x.matchPath === '/admin' ? DENIED : undefined) };
const ok: RequestListener = (_request, response) => response.end('ok');

function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

describe('requests of one connection', () => {
  it('are judged one by one, and a denial leaves the connection open', async () => {
    const double = await serve(ok, { filters: [denyAdmin] });
    const client = await call(double);
    expect((await client.get('/')).status).toBe(200);
    expect((await client.get('/admin')).status).toBe(403);
    expect((await client.get('/')).status).toBe(200);
  });

  it('are answered in their order when they are pipelined, denials too', async () => {
    const slow = gate();
    const double = await serve(
      (request, response) => {
        void (request.url === '/slow' ? slow.opened : Promise.resolve()).then(() => response.end(request.url));
      },
      { filters: [denyAdmin] },
    );
    const client = await call(double);
    client.write(['/slow', '/admin', '/fast'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    // As Envoy takes them: the second one when the first was answered.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([double.started.length, client.unread]).toEqual([1, '']);
    slow.open();
    const answers = [await client.response(), await client.response(), await client.response()];
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, '/slow'],
      [403, 'RBAC: access denied'],
      [200, '/fast'],
    ]);
  });

  it('end with the connection; those that waited behind another never were', async () => {
    const double = await serve(() => {});
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50));
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    client.close();
    await settled(double, 1);
    expect(double.started).toHaveLength(1);
    expect(double.finished[0]!.x.flags).toBe(ResponseFlag.DownstreamConnectionTermination);
    expect(double.finished[0]!.outcome.status).toBe(0);
  });

  it('are taken one by one, however many wait', async () => {
    let atOnce = 0;
    let most = 0;
    const double = await serve((request, response) => {
      most = Math.max(most, ++atOnce);
      setImmediate(() => {
        atOnce--;
        response.end(request.url);
      });
    });
    const client = await call(double);
    const paths = Array.from({ length: 1500 }, (_, at) => `/${at}`);
    client.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    for (const path of paths) expect((await client.response()).body).toBe(path);
    expect(most).toBe(1);
  });

  it('behind one that closes the connection are not taken', async () => {
    const double = await serve((_request, response) => void response.writeHead(200, { connection: 'close' }).end());
    const client = await call(double);
    client.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response()).status).toBe(200);
    await settled(double, 1);
    expect(double.started).toHaveLength(1);
  });

  it('have their own exchange as parent, whatever the handler awaits or listens to', async () => {
    const seen: (string | undefined)[] = [];
    const double: ServerDouble = await serve((request, response) => {
      const note = (): void => void seen.push(double.current()?.request.path);
      note();
      request.on('data', note);
      request.on('end', () => {
        note();
        setTimeout(() => {
          note();
          response.end(request.url);
        }, 1);
      });
    });
    const clients = await Promise.all(['/a', '/b'].map(() => call(double)));
    await Promise.all(
      clients.map(async (client, index) => {
        const path = index === 0 ? '/a' : '/b';
        for (let turn = 0; turn < 3; turn++) {
          client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n`);
          await new Promise(setImmediate);
          client.write('body');
          expect((await client.response()).body).toBe(path);
        }
      }),
    );
    expect(seen.filter((path) => path === '/a')).toHaveLength(12);
    expect(seen.filter((path) => path === '/b')).toHaveLength(12);
  });
});

describe('a caller that goes away', () => {
  it.each([
    ['while it sends', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf', ''],
    ['before the response', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', ''],
    ['in the response', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'part'],
  ])('%s ends the exchange once, with DC', async (_when, bytes, part) => {
    let ends = 0;
    let mayClose = false;
    const filter: Filter = { name: 'count', onEnd: () => void ends++ };
    const double = await serve(
      (_request, response) => {
        if (part !== '') response.write(part);
        mayClose = true;
      },
      { filters: [filter] },
    );
    const client = await call(double);
    client.write(bytes);
    await expect.poll(() => mayClose, { interval: 1 }).toBe(true);
    if (part !== '') await expect.poll(() => client.unread, { interval: 1 }).toContain(part);
    client.close();
    await settled(double, 1);
    const { x, outcome } = double.finished[0]!;
    expect(x.flags).toBe(ResponseFlag.DownstreamConnectionTermination);
    expect(outcome.status).toBe(part === '' ? 0 : 200);
    await double.listener.close({ drainMs: 0 });
    expect(ends).toBe(1);
  });
});

describe('an app', () => {
  it('that destroys its socket ends the exchange', async () => {
    const double = await serve((request) => request.socket.destroy());
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.rest()).toBe('');
    await settled(double, 1);
  });

  it('that writes its head twice is told so, and its first status counts', async () => {
    const headers = compileHeaderMutations([{ requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: ['x-secret'] }]);
    let told: unknown;
    const double = await serve(
      (_request, response) => {
        response.writeHead(201);
        try {
          response.writeHead(500, { 'x-late': '1' });
        } catch (error) {
          told = (error as NodeJS.ErrnoException).code;
        }
        response.end('ok');
      },
      { headers },
    );
    expect((await (await call(double)).get()).status).toBe(201);
    expect(told).toBe('ERR_HTTP_HEADERS_SENT');
    await settled(double, 1);
    expect(double.finished[0]!.outcome.status).toBe(201);
  });

  it('that is too slow is answered for, and may write what it likes then', async () => {
    const late = gate();
    const finished = gate();
    const double = await serve(
      (_request, response) => {
        response.setHeader('x-app', '1');
        void late.opened.then(() => {
          response.setHeader('x-late', '1');
          response.writeHead(200, { 'x-later': '1' });
          response.write('body', () => response.end('end', () => finished.open()));
        });
      },
      { timeoutMs: 1_000 },
    );
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    double.clock.advance(1_000);
    const response = await client.response();
    expect(response.status).toBe(504);
    expect(response.body).toBe('upstream request timeout');
    expect(response.header('x-app')).toBeUndefined();
    late.open();
    await finished.opened;
    expect(client.unread).toBe('');
    await settled(double, 1);
    expect(double.finished[0]!.x.flags).toBe(ResponseFlag.UpstreamRequestTimeout);
  });

  it('sends interim responses, HEAD, 204, 304 and trailers as without the mesh', async () => {
    const double = await serve((request, response) => {
      if (request.url === '/hints') response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      if (request.url === '/204' || request.url === '/304') response.statusCode = Number(request.url.slice(1));
      if (request.url === '/trailers') {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      } else response.end('body');
    });
    const client = await call(double);
    client.write('GET /hints HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.head()).status).toBe(103);
    expect((await client.head()).body).toBe('body');
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    const head = await client.response('HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
    expect((await client.get('/204')).status).toBe(204);
    expect((await client.get('/304')).status).toBe(304);
    expect((await client.get('/trailers')).trailers).toEqual(['x-sum: 7']);
    await settled(double, 5);
    expect(double.finished.map(({ outcome }) => outcome.responseBytes)).toEqual([4, 0, 0, 0, 4]);
  });
});

describe('bytes', () => {
  it.each<[string, string, (request: IncomingMessage, response: ServerResponse) => void, number, number]>([
    ['a length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', (_q, response) => response.end('12345678'), 5, 8],
    ['chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n', chunks, 7, 5],
    ['UTF-8', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (_q, response) => response.end('ä€'), 0, 5],
    ['hex', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (_q, response) => response.end('0a0b', 'hex'), 0, 2],
    ['latin1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (_q, response) => response.end('ä', 'latin1'), 0, 1],
    ['a view', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (_q, response) => response.end(new Uint8Array(3)), 0, 3],
  ])('of a body with %s are counted', async (_what, bytes, app, requestBytes, responseBytes) => {
    const double = await serve((request, response) => {
      request.resume().on('end', () => app(request, response));
    });
    const client = await call(double);
    client.write(bytes);
    await client.response();
    await settled(double, 1);
    expect(double.finished[0]!.outcome).toMatchObject({ requestBytes, responseBytes });
  });

  function chunks(_request: IncomingMessage, response: ServerResponse): void {
    response.write('ab');
    response.write(Buffer.from('cd'));
    response.end('e');
  }

  it('are those on the wire when a library compresses', async () => {
    const double = await serve((_request, response) => {
      const { end, write } = response;
      const gzip = createGzip();
      gzip.on('data', (chunk: Buffer) => void (write as (data: Buffer) => boolean).call(response, chunk));
      gzip.on('end', () => void (end as () => void).call(response));
      response.removeHeader('content-length');
      response.setHeader('content-encoding', 'gzip');
      response.write = ((chunk: string) => gzip.write(chunk)) as ServerResponse['write'];
      response.end = ((chunk: string) => {
        gzip.end(chunk);
        return response;
      }) as ServerResponse['end'];
      response.write('x'.repeat(10_000));
      response.end('y');
    });
    const { body } = await (await call(double)).get();
    expect(gunzipSync(Buffer.from(body, 'latin1'))).toHaveLength(10_001);
    await settled(double, 1);
    expect(double.finished[0]!.outcome.responseBytes).toBe(body.length);
  });

  it('flow with backpressure, both ways', async () => {
    const size = 8 * 1024 * 1024;
    const double = await serve((request, response) => void request.pipe(response));
    const client = await call(double);
    client.socket.pause();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    const full = client.socket.write(Buffer.alloc(size, 'x'));
    expect(full).toBe(false);
    client.socket.resume();
    expect((await client.response()).body).toHaveLength(size);
    await settled(double, 1);
    expect(double.finished[0]!.outcome).toMatchObject({ requestBytes: size, responseBytes: size });
  });
});

describe('response header operations', () => {
  const headers = compileHeaderMutations([
    {
      requestAdd: [],
      requestRemove: [],
      responseAdd: [
        { name: 'x-added', value: 'mesh', action: 'APPEND_IF_EXISTS_OR_ADD', keepEmpty: false },
        { name: 'set-cookie', value: 'mesh=1', action: 'APPEND_IF_EXISTS_OR_ADD', keepEmpty: false },
        { name: 'x-set', value: 'mesh', action: 'OVERWRITE_IF_EXISTS_OR_ADD', keepEmpty: false },
      ],
      responseRemove: ['x-secret'],
    },
  ]);

  it.each<[string, RequestListener]>([
    [
      'setHeader',
      (_request, response) => {
        response.setHeader('X-Secret', '1');
        response.setHeader('X-Set', 'app');
        response.setHeader('Set-Cookie', ['a=1', 'b=2']);
        response.end('ok');
      },
    ],
    [
      'an object',
      (_request, response) => void response.writeHead(200, { 'X-Secret': '1', 'X-Set': 'app', 'Set-Cookie': ['a=1', 'b=2'] }).end('ok'),
    ],
    [
      'a flat array',
      (_request, response) =>
        void response.writeHead(200, ['X-Secret', '1', 'X-Set', 'app', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('ok'),
    ],
    [
      'an array of pairs',
      (_request, response) =>
        void response
          .writeHead(200, [
            ['X-Secret', '1'],
            ['X-Set', 'app'],
            ['Set-Cookie', ['a=1', 'b=2']],
          ] as unknown as string[])
          .end('ok'),
    ],
    [
      'setHeader and writeHead with a reason',
      (_request, response) => {
        response.setHeader('x-set', 'early');
        response.setHeader('x-secret', '1');
        response.writeHead(200, 'Fine', { 'x-set': 'app', 'set-cookie': ['a=1', 'b=2'] });
        response.end('ok');
      },
    ],
    [
      'a framework that exchanges the prototype (Express)',
      (_request, response) => {
        const base = Object.create(Object.getPrototypeOf(response) as object, {
          send: {
            value(this: ServerResponse, body: string) {
              this.setHeader('X-Secret', '1');
              this.setHeader('X-Set', 'app');
              this.setHeader('Set-Cookie', ['a=1', 'b=2']);
              this.end(body);
            },
          },
        }) as object;
        Object.setPrototypeOf(response, base);
        (response as ServerResponse & { send(body: string): void }).send('ok');
      },
    ],
    [
      'a library that wrapped writeHead',
      (_request, response) => {
        const { writeHead } = response;
        response.writeHead = function (this: ServerResponse, ...args: unknown[]): ServerResponse {
          this.setHeader('x-secret', '1');
          this.setHeader('x-set', 'library');
          this.setHeader('set-cookie', ['a=1', 'b=2']);
          return (writeHead as (...all: unknown[]) => ServerResponse).apply(this, args);
        } as ServerResponse['writeHead'];
        response.end('ok');
      },
    ],
  ])('reach what the app writes by %s', async (_how, app) => {
    const double = await serve(app, { headers });
    const response = await (await call(double)).get();
    expect(response.body).toBe('ok');
    expect(response.header('x-secret')).toBeUndefined();
    expect(response.header('x-set')).toBe('mesh');
    expect(response.header('x-added')).toBe('mesh');
    expect(response.header('set-cookie')).toBe('a=1,b=2,mesh=1');
  });

  it('reach replies of the mesh, too', async () => {
    const double = await serve(ok, { headers, filters: [denyAdmin] });
    const response = await (await call(double)).get('/admin');
    expect([response.status, response.header('x-added')]).toEqual([403, 'mesh']);
  });
});

describe('a filter that fails', () => {
  const boom = (): never => {
    throw new Error('boom');
  };

  it.each<[string, Filter]>([
    ['at once', { name: 'f', onRequest: boom }],
    ['later', { name: 'f', onRequest: () => Promise.reject<LocalReply>(new Error('boom')) }],
  ])('%s refuses with 500, and the app never sees the request', async (_when, filter) => {
    let reached = false;
    const double = await serve(
      (_request, response) => {
        reached = true;
        response.end();
      },
      { filters: [filter] },
    );
    expect((await (await call(double)).get()).status).toBe(500);
    expect(reached).toBe(false);
    expect(double.log.join()).toContain('boom');
  });

  it('in the response sends nothing half done', async () => {
    const double = await serve(ok, { filters: [{ name: 'f', onResponse: boom }] });
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.rest()).toBe('');
    await settled(double, 1);
    expect(double.log.join()).toContain('boom');
  });

  it('at the end costs nobody else anything', async () => {
    const double = await serve(ok, { filters: [{ name: 'f', onEnd: boom }] });
    const client = await call(double);
    expect((await client.get()).status).toBe(200);
    expect((await client.get()).status).toBe(200);
    await settled(double, 2);
    expect(double.log.join()).toContain('boom');
  });

  it.each(['日本', 'a\nb: c'])('by an answer that no response can carry (%j) is answered 500, at once or later', async (value) => {
    const answer = localReply({ status: 401, details: 'ext_authz_denied', headers: [['x-user', value]] });
    for (const onRequest of [() => answer, async () => answer]) {
      const double = await serve(() => expect.unreachable('it reached the app'), { filters: [{ name: 'answers', onRequest }] });
      const client = await call(double);
      expect((await client.get('/')).status).toBe(500);
      expect((await client.get('/')).status).toBe(500);
      await settled(double, 2);
      expect(double.log.join()).toContain('x-user');
    }
  });
});

describe('an expectation', () => {
  const post = 'POST /admin HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n';

  it('is judged before 100 Continue is said', async () => {
    const double = await serve(ok, { filters: [denyAdmin] });
    const client = await call(double);
    client.write(`${post}Expect: 100-continue\r\n\r\n`);
    const response = await client.head();
    expect([response.status, response.header('connection')]).toEqual([403, 'close']);
  });

  it('is met for the app, or left to the listener that the app has', async () => {
    const app = createServer((request, response) => void request.pipe(response));
    const double = await ServerDouble.start(app, { mode: 'DISABLE' });
    cleanups.push(() => double[Symbol.asyncDispose]());
    const client = await call(double);
    client.write(`${post}Expect: 100-continue\r\n\r\n`);
    expect((await client.head()).status).toBe(100);
    client.write('body');
    expect((await client.response()).body).toBe('body');

    app.on('checkContinue', (_request, response) => void response.writeHead(417).end('no'));
    client.write(`${post}Expect: 100-continue\r\n\r\n`);
    expect((await client.head()).status).toBe(417);
  });

  it('that is none meets the policies first, then what node:http says', async () => {
    const double = await serve(ok, { filters: [denyAdmin] });
    const client = await call(double);
    expect((await client.get('/admin', 'Expect: miracles\r\n')).status).toBe(403);
    expect((await client.get('/', 'Expect: miracles\r\n')).status).toBe(417);
  });
});

describe('a caller that sends a large body to where it may not', () => {
  it('reads the refusal', async () => {
    const double = await serve(ok, { filters: [denyAdmin] });
    const client = await call(double);
    client.write(`POST /admin HTTP/1.1\r\nHost: a\r\nContent-Length: ${1 << 24}\r\n\r\n`);
    client.socket.write(Buffer.alloc(1 << 23));
    const response = await client.response();
    expect([response.status, response.header('connection')]).toEqual([403, 'close']);
    // Nothing resets the connection while it is still read; it ends a second later.
    client.socket.write(Buffer.alloc(1 << 22));
    // Beside the time of a connection without requests.
    await expect.poll(() => double.clock.pending, { interval: 1 }).toBe(2);
    double.clock.advance(1_000);
    await client.rest();
  });

  it('has no second request on that connection', async () => {
    const double = await serve(ok, { filters: [denyAdmin] });
    const client = await call(double);
    client.write('POST /admin HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo');
    expect((await client.response()).status).toBe(403);
    client.write('dyGET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.rest()).toBe('');
    expect(double.started).toHaveLength(1);
  });
});

describe('a caller that trickles its head', () => {
  it('is told that its time is up, and the connection ends', async () => {
    const app = createServer({ headersTimeout: 50, connectionsCheckingInterval: 10 }, ok);
    const double = await ServerDouble.start(app, { mode: 'DISABLE' });
    cleanups.push(() => double[Symbol.asyncDispose]());
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\nx: ');
    const response = await client.response();
    expect([response.status, response.body, response.header('connection')]).toEqual([408, 'Request Timeout', 'close']);
    client.socket.end();
    await client.rest();
    expect(double.started).toEqual([]);
  });
});

describe('swaps of configuration', () => {
  it('a request that began keeps its own', async () => {
    const hold = gate();
    const double = await serve((_request, response) => void hold.opened.then(() => response.end('old')));
    const client = await call(double);
    client.write('GET /admin HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    double.swap(chainsOf('DISABLE', { filters: [denyAdmin] }));
    hold.open();
    expect((await client.response()).body).toBe('old');
    expect((await client.get('/admin')).status).toBe(403);
  });
});
