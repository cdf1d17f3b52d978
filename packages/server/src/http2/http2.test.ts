import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createReplyRewrite, type Filter, localReply, ResponseFlag } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppServer } from '../app-server.ts';
import { peerOf } from '../peer.ts';
import { RawClient } from '../testing/raw-client.ts';
import { chainsOf, type DoubleOptions, ServerDouble } from '../testing/server-double.ts';
import { TestAuthority, TestIdentity } from '../testing/test-authority.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const authority = new TestAuthority();
const SERVER = 'spiffe://cluster.local/ns/default/sa/server';
const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';

async function serve(app: RequestListener | AppServer, options: DoubleOptions = {}): Promise<ServerDouble> {
  const double = await ServerDouble.start(app, { identity: new TestIdentity(authority, SERVER), ...options });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

function call(double: ServerDouble, transport: 'plaintext' | 'mTLS' = 'plaintext'): ClientHttp2Session {
  const { cert, key } = authority.issue({ uris: [CALLER] });
  // What node:http2 offers by itself is `h2` alone, and no chain of the mesh takes that.
  const secure = (): TLSSocket =>
    connectTls({ port: double.port, host: '127.0.0.1', cert, key, rejectUnauthorized: false, ALPNProtocols: ['istio', 'h2'] });
  const session = connect(`http://127.0.0.1:${double.port}`, transport === 'plaintext' ? {} : { createConnection: secure });
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  return session;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | undefined;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('trailers', (received) => {
    trailers = received;
  });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  let body = '';
  for await (const chunk of stream) body += chunk;
  return { headers, body, trailers };
}

function get(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<Answer> {
  return answerOf(session.request({ ':authority': 'a', ...headers }));
}

/** The code that a stream was reset with. */
async function resetOf(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<number> {
  const stream = session.request({ ':authority': 'a', ...headers });
  stream.on('error', () => {});
  await new Promise<void>((resolve) => stream.once('close', resolve));
  return stream.rstCode;
}

/** The connection preface with empty SETTINGS. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

/** HEADERS of `GET http://a/` (RFC 7541's static table), and RST_STREAM with CANCEL. */
function openAndReset(id: number): Buffer {
  const head = [0x82, 0x86, 0x84, 0x01, 0x01, 0x61];
  const stream = [0, 0, id >> 8, id & 255];
  return Buffer.from([0, 0, head.length, 1, 5, ...stream, ...head, 0, 0, 4, 3, 0, ...stream, 0, 0, 0, 8]);
}

/** HEADERS of `POST http://a/`, whose body never comes. */
function openOnly(id: number): Buffer {
  const head = [0x83, 0x86, 0x84, 0x01, 0x01, 0x61];
  return Buffer.from([0, 0, head.length, 1, 4, 0, 0, id >> 8, id & 255, ...head]);
}

/** Opens streams and takes them back when the app works at them, until the session has ended. */
async function takeBack(double: ServerDouble, session: ClientHttp2Session): Promise<void> {
  const closed = once(session, 'close');
  for (let sent = 0; sent < 250; sent += 25) {
    const streams = Array.from({ length: 25 }, () => session.request({ ':authority': 'a', ':path': '/', ':method': 'POST' }));
    for (const stream of streams) stream.on('error', () => {});
    while (double.started.length < sent + 25) await new Promise((resolve) => setImmediate(resolve));
    for (const stream of streams) stream.close(8);
  }
  await closed;
}

const denyAdmin: Filter = {
  name: 'rbac',
  onRequest: ({ request }) =>
    request.path === '/admin' ? localReply({ status: 403, details: 'rbac', body: 'RBAC: access denied' }) : undefined,
};

/** The same app in the forms that Node offers. */
const forms: readonly [string, (handler: RequestListener) => RequestListener | Http2Server][] = [
  ['an app of node:http', (handler) => handler],
  ['the compatibility API of node:http2', (handler) => createHttp2Server(handler as never)],
];

describe.each(forms)('HTTP/2 callers of %s', (_form, make) => {
  it.each(['plaintext', 'mTLS'] as const)('are served and authorised over %s', async (transport) => {
    const seen: [string, string | undefined][] = [];
    const double = await serve(
      make((request, response) => {
        seen.push([request.url ?? '', peerOf(request)?.spiffeId]);
        response.setHeader('x-app', 'yes');
        response.end('hello');
      }),
      { filters: [denyAdmin] },
    );
    const session = call(double, transport);
    const answer = await get(session, { ':path': '/x/../public?y' });
    expect([answer.headers[':status'], answer.headers['x-app'], answer.body]).toEqual([200, 'yes', 'hello']);
    for (const path of ['/admin', '/x/../admin', '/%61dmin', '/admin#x']) {
      const refused = await get(session, { ':path': path });
      expect([refused.headers[':status'], refused.headers.server, refused.body]).toEqual([403, 'istio-envoy', 'RBAC: access denied']);
    }
    expect(seen).toEqual([['/public?y', transport === 'mTLS' ? CALLER : undefined]]);
    expect(double.finished.map(({ x, outcome }) => [x.protocol, outcome.status])).toEqual([
      ['http2', 200],
      ...Array.from({ length: 4 }, () => ['http2', 403]),
    ]);
  });

  it('send bodies and get theirs, in the context of their exchange', async () => {
    const contexts: unknown[] = [];
    const double = await serve(
      make((request, response) => {
        let body = '';
        request.on('data', (chunk) => {
          contexts.push(double.current()?.request.method);
          body += chunk;
        });
        request.on('end', () => response.end(body.toUpperCase()));
      }),
    );
    for (const headers of [{}, { 'content-length': 5 }]) {
      const stream = call(double).request({ ':authority': 'a', ':path': '/', ':method': 'POST', ...headers });
      stream.end('hello');
      expect((await answerOf(stream)).body).toBe('HELLO');
    }
    expect(contexts).toEqual(['POST', 'POST']);
    expect(double.finished.map(({ outcome }) => [outcome.requestBytes, outcome.responseBytes])).toEqual([
      [5, 5],
      [5, 5],
    ]);
  });

  it('see one authority, joined cookies, and no header of the mesh that they made up', async () => {
    let seen: IncomingMessage['headers'] = {};
    const double = await serve(
      make((request, response) => {
        seen = { ...request.headers };
        response.end();
      }),
    );
    await get(call(double), { ':path': '/', host: 'b', cookie: ['a=1', 'b=2'], 'x-envoy-internal': 'true', 'x-role': ['user', 'admin'] });
    expect(seen.host ?? seen[':authority']).toBe('a');
    expect(seen.cookie).toBe('a=1; b=2');
    expect(seen['x-envoy-internal']).toBeUndefined();
    expect(seen['x-role']).toBe('user, admin');
    expect(seen.connection).toBeUndefined();
  });

  it.each([
    ['x-user', '日本'],
    ['x-user', 'a\nb'],
    ['upgrade', 'x'],
  ])('are answered 500 when a filter answers what no response can carry (%s: %j)', async (name, value) => {
    const answers: Filter = { name: 'f', onRequest: async () => localReply({ status: 401, details: 'x', headers: [[name, value]] }) };
    const double = await serve(
      make(() => expect.unreachable('it reached the app')),
      { filters: [answers] },
    );
    const session = call(double);
    for (let at = 0; at < 2; at++) expect((await get(session, { ':path': '/' })).headers[':status']).toBe(500);
    expect(double.finished.map(({ outcome }) => outcome.status)).toEqual([500, 500]);
  });

  it('that break off are told of in the outcome', async () => {
    const double = await serve(make(() => {}));
    const session = call(double);
    const stream = session.request({ ':authority': 'a', ':path': '/' });
    stream.on('error', () => {});
    await expect.poll(() => double.started.length).toBe(1);
    stream.close(8);
    await expect.poll(() => double.finished.length).toBe(1);
    expect(double.finished[0]!.x.flags & ResponseFlag.DownstreamConnectionTermination).not.toBe(0);
  });

  it('are answered in time when the app is not', async () => {
    const double = await serve(
      make((_request, response) => {
        setImmediate(() => double.clock.advance(1_000));
        setTimeout(() => response.writeHead(200).end('late'), 20);
      }),
      { timeoutMs: 1_000 },
    );
    const answer = await get(call(double), { ':path': '/' });
    expect(answer.headers[':status']).toBe(504);
    await new Promise((resolve) => setTimeout(resolve, 40)); // The app writes late, and must not be hurt by it.
    expect(double.finished).toHaveLength(1);
  });

  it('are sent away when the port drains, with their responses', async () => {
    let finish: (() => void) | undefined;
    const double = await serve(
      make((_request, response) => {
        finish = () => response.end('last');
      }),
    );
    const session = call(double);
    const answer = get(session, { ':path': '/' });
    await expect.poll(() => finish).toBeDefined();
    const goaway = once(session, 'goaway');
    double.listener.drain();
    await goaway;
    finish!();
    expect((await answer).body).toBe('last');
    await expect.poll(() => session.closed).toBe(true);
  });

  it.each<[string, OutgoingHttpHeaders, number]>([
    ['a method with small letters', { ':method': 'get' }, 400],
    ['an authority with an escape', { ':authority': 'a%00' }, 400],
    ['a NUL in the path', { ':path': '/%00' }, 400],
    ['OPTIONS *', { ':method': 'OPTIONS', ':path': '*' }, 404],
  ])('are refused with %s', async (_name, headers, status) => {
    const double = await serve(make(() => expect.unreachable('it reached the app')));
    expect((await get(call(double), { ':path': '/', ...headers })).headers[':status']).toBe(status);
  });

  it.each<[string, OutgoingHttpHeaders, number]>([
    ['a path without a slash', { ':path': 'admin' }, 1],
    ['user information', { ':path': '/', ':authority': 'u@a' }, 1],
    ['an absolute path', { ':path': 'http://a/admin', ':scheme': 'x' }, 1],
    ['more than 100 fields', { ':path': '/', ...Object.fromEntries(Array.from({ length: 97 }, (_, index) => [`x-${index}`, '1'])) }, 2],
  ])('are reset with %s', async (_name, headers, code) => {
    const double = await serve(make(() => expect.unreachable('it reached the app')));
    expect(await resetOf(call(double), headers)).toBe(code);
  });

  it('lose their connection when they take a hundred streams back at once, and are let in late when they come again', async () => {
    const double = await serve(make((_request, response) => response.end('ok')));
    const client = await RawClient.open(double.port);
    cleanups.push(() => client.close());
    client.write(Buffer.concat([PREFACE, ...Array.from({ length: 150 }, (_, index) => openAndReset(2 * index + 1))]));
    await client.rest();
    expect(double.started.length).toBeLessThan(50);
    const answer = get(call(double), { ':path': '/' });
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(() => resolve('late'), 50))]);
    expect(early).toBe('late');
    double.clock.advance(250);
    expect((await answer).body).toBe('ok');
  });

  it.each(['plaintext', 'mTLS'] as const)('are served whole over %s when somebody like them has abused a connection', async (transport) => {
    const echo: RequestListener = (request, response) =>
      void request.once('data', (first) => {
        response.write(first);
        request.pipe(response);
      });
    const double = await serve(make(echo));
    await takeBack(double, call(double, transport));
    const body = Buffer.alloc(300_000, 'x').toString();
    const stream = call(double, transport).request({ ':authority': 'a', ':path': '/', ':method': 'POST' });
    const answer = answerOf(stream);
    stream.end(body);
    const late = setInterval(() => double.clock.advance(250), 20);
    cleanups.push(() => clearInterval(late));
    expect((await answer).body === body).toBe(true);
  });

  it('lose their connection when they take back half of what the app works at', async () => {
    const double = await serve(make(() => {})); // never answers
    await takeBack(double, call(double));
    expect(double.started.length).toBe(250);
  });

  it('keep their connection when it is the app that lets go of them, or when they wait for a second', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const app = createHttp2Server();
    app.on('stream', (stream, headers) => {
      if (headers[':path'] === '/') stream.close(7);
      else waiting.push(stream);
    });
    const double = await serve(app);
    const session = call(double);
    for (let index = 0; index < 300; index++) await resetOf(session, { ':path': '/' });
    for (let sent = 0; sent < 300; sent += 50) {
      const streams = Array.from({ length: 50 }, () => session.request({ ':authority': 'a', ':path': '/wait' }));
      for (const stream of streams) stream.on('error', () => {});
      while (waiting.length < sent + 50) await new Promise((resolve) => setImmediate(resolve));
      double.clock.advance(1_001);
      const gone = Promise.all(waiting.slice(sent).map((stream) => once(stream, 'close')));
      for (const stream of streams) stream.close(8);
      await gone;
    }
    expect(session.destroyed).toBe(false);
  });

  it('are let through with exactly 100 fields', async () => {
    const double = await serve(make((_request, response) => response.end('ok')));
    const fields = Object.fromEntries(Array.from({ length: 96 }, (_, index) => [`x-${index}`, '1']));
    expect((await get(call(double), { ':path': '/', ...fields })).body).toBe('ok');
  });
});

const NO_LIMITS = { maxConcurrentStreams: undefined, streamWindowBytes: undefined, connectionWindowBytes: undefined };

/** Streams at once, and the bytes that may be sent ahead on one of them and on all. */
async function toldTo(session: ClientHttp2Session): Promise<(number | undefined)[]> {
  const { body } = await get(session, { ':path': '/' });
  expect(body).toBe('ok');
  const { maxConcurrentStreams, initialWindowSize } = session.remoteSettings;
  return [maxConcurrentStreams, initialWindowSize, session.state.remoteWindowSize];
}

describe('an app that listens to streams', () => {
  it('gets only those that passed, from the server and from the session', async () => {
    const seen: string[] = [];
    const app = createHttp2Server();
    app.on('session', (session) => {
      session.on('stream', (_stream, headers) => seen.push(`session ${headers[':path']}`));
    });
    app.on('stream', (stream, headers) => {
      seen.push(`server ${headers[':path']}`);
      stream.respond({ ':status': 201, 'x-app': 'yes' });
      stream.end('ok');
    });
    const session = call(await serve(app, { filters: [denyAdmin] }));
    expect((await get(session, { ':path': '/admin' })).headers[':status']).toBe(403);
    expect((await get(session, { ':path': '/%61' })).headers[':status']).toBe(201);
    expect(seen.sort()).toEqual(['server /a', 'session /a']);
  });

  it.each([
    ['1,024 of them, as an Envoy', createHttp2Server(), undefined, 1_024],
    ['as many as it says', createHttp2Server({ settings: { maxConcurrentStreams: 3 } }), undefined, 3],
    ['as many as the mesh says', createHttp2Server(), 2_000, 2_000],
    ['as many as both allow', createHttp2Server({ settings: { maxConcurrentStreams: 5 } }), 4, 4],
  ])('has no more streams at once than it can bear: %s', async (_how, app, maxConcurrentStreams, most) => {
    let open = 0;
    app.on('stream', () => open++); // It answers none.
    const double = await serve(app, { manager: { http2Limits: { ...NO_LIMITS, maxConcurrentStreams } } });
    const client = await RawClient.open(double.port);
    cleanups.push(() => client.close());
    client.write(Buffer.concat([PREFACE, ...Array.from({ length: most + 20 }, (_, index) => openOnly(2 * index + 1))]));
    const refused = (): number => client.unread.split('\0\0\x04\x03\0').length - 1;
    await expect.poll(refused, { interval: 1 }).toBe(20);
    expect([open, double.started.length]).toEqual([most, most]);
  });

  it('keeps its own settings, whatever the mesh says to callers', async () => {
    const app = createHttp2Server({ settings: { maxConcurrentStreams: 50, initialWindowSize: 70_000 } });
    app.on('stream', (stream) => stream.end('ok'));
    const double = await serve(app, { manager: { http2Limits: { ...NO_LIMITS, maxConcurrentStreams: 7, streamWindowBytes: 66_000 } } });
    expect(await toldTo(call(double))).toEqual([7, 66_000, 65_535]);
    app.updateSettings({ maxConcurrentStreams: 6 });
    expect(await toldTo(call(double))).toEqual([6, 66_000, 65_535]);
    double.swap(chainsOf('PERMISSIVE'));
    expect(await toldTo(call(double))).toEqual([6, 70_000, 65_535]);
  });

  it('is not reached past the gate', async () => {
    const app = createHttp2Server();
    app.on('stream', () => expect.unreachable('it reached the app'));
    const double = await serve(app, { mode: 'STRICT' });
    const session = call(double);
    const [error] = (await once(session, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  });

  it('is not spoken to in HTTP/1', async () => {
    const double = await serve(createHttp2Server());
    await expect(fetch(`http://127.0.0.1:${double.port}/`)).rejects.toThrow();
    expect(double.log.join()).toContain('it speaks HTTP/1, which the server of this port does not');
  });
});

describe('an app of node:http', () => {
  it.each(['plaintext', 'mTLS'] as const)('takes as much at once as the mesh says, from the next connection on: %s', async (transport) => {
    const told = async (): Promise<unknown> => toldTo(call(double, transport));
    const limits = { maxConcurrentStreams: 3, streamWindowBytes: 66_000, connectionWindowBytes: 100_000 };
    const double = await serve((_request, response) => void response.end('ok'), { manager: { http2Limits: limits } });
    expect(await told()).toEqual([3, 66_000, 100_000]);
    double.swap(chainsOf('PERMISSIVE'));
    expect(await told()).toEqual([1_024, 65_535, 65_535]);
  });

  it('answers HTTP/2 callers who wait before they send, and its trailers reach them', async () => {
    const app = createServer((request, response) => {
      response.setHeader('trailer', 'x-sum');
      response.write('a');
      response.addTrailers({ 'x-sum': '42' });
      request.resume().on('end', () => response.end('b'));
    });
    const stream = call(await serve(app)).request({ ':authority': 'a', ':path': '/', ':method': 'POST', expect: '100-continue' });
    await once(stream, 'continue');
    stream.end('body');
    const answer = await answerOf(stream);
    expect([answer.body, answer.trailers?.['x-sum']]).toEqual(['ab', '42']);
  });

  it('that breaks a response off resets the stream', async () => {
    const double = await serve((request) => void request.socket.destroy());
    expect(await resetOf(call(double), { ':path': '/' })).toBe(2);
  });

  it.each(['plaintext', 'mTLS'] as const)(
    'whose body a filter reads are not waited for when all of it came with the head: %s',
    async (transport) => {
      const reads: Filter = { name: 'reads', onRequest: async (x) => void (await x.body?.read(100)) };
      const double = await serve(
        (request, response) => void request.toArray().then((chunks) => response.end(Buffer.concat(chunks as Buffer[]))),
        { filters: [reads, reads] },
      );
      const stream = call(double, transport).request({ ':authority': 'a', ':path': '/', ':method': 'POST' });
      stream.end('hello');
      expect((await answerOf(stream)).body).toBe('hello');
    },
  );

  it('that are refused with their body unread come to their end', async () => {
    const reads: Filter = {
      name: 'reads',
      onRequest: async (x) => {
        await x.body?.read(4);
        return localReply({ status: 413, details: 'too_large', body: 'too large' });
      },
    };
    const double = await serve((_request, response) => void response.end(), { filters: [reads] });
    const session = call(double, 'mTLS');
    const stream = session.request({ ':authority': 'a', ':path': '/', ':method': 'POST' });
    stream.on('error', () => {});
    stream.end('x'.repeat(2000));
    expect((await answerOf(stream)).headers[':status']).toBe(413);
    await expect.poll(() => double.finished.map(({ outcome }) => outcome.status)).toEqual([413]);
  });

  it('are refused with the type that a body needs, whatever the route takes away, and with what filters add', async () => {
    const denies: Filter = {
      name: 'denies',
      onRequest: () => localReply({ status: 403, details: 'rbac', body: 'no' }),
      onResponse: (_x, head) => head.setHeader('x-type', head.header('content-type') ?? 'none'),
    };
    const headers = {
      onRequest: () => {},
      onResponse: (_x: unknown, head: { removeHeader(name: string): void }) => head.removeHeader('content-type'),
    };
    const double = await serve((_request, response) => void response.end(), { filters: [denies], headers } as DoubleOptions);
    const refused = await get(call(double), { ':path': '/' });
    expect([refused.headers['content-type'], refused.headers['x-type'], refused.headers['content-length']]).toEqual([
      'text/plain',
      'text/plain',
      '2',
    ]);
  });

  it('are rewritten as their connection manager says', async () => {
    const denies: Filter = { name: 'denies', onRequest: () => localReply({ status: 403, details: 'rbac', body: 'no' }) };
    const rewriteReply = createReplyRewrite(
      [{ matches: () => true, status: 404, body: 'not here', headers: undefined, format: undefined }],
      { contentType: 'text/html', render: ({ localReplyBody, outcome }) => `<p>${localReplyBody} ${outcome.status}</p>` },
      { now: () => 0, wallTime: () => 0 },
    );
    const double = await serve(() => {}, { filters: [denies], manager: { rewriteReply } } as DoubleOptions);
    const { headers, body } = await get(call(double), { ':path': '/' });
    expect([headers[':status'], headers['content-type'], headers['content-length'], body]).toEqual([
      404,
      'text/html',
      '19',
      '<p>not here 404</p>',
    ]);
    await expect.poll(() => double.finished.map(({ outcome }) => outcome.status)).toEqual([404]);
  });

  it('have a header once that node:http2 cannot send twice', async () => {
    const headers = {
      onRequest: () => {},
      onResponse: (_x: unknown, head: { appendHeader(name: string, value: string): void }) => head.appendHeader('location', '/b'),
    };
    const double = await serve((_request, response) => void response.writeHead(302, { location: '/a' }).end(), {
      headers,
    } as DoubleOptions);
    expect((await get(call(double), { ':path': '/' })).headers.location).toBe('/a');
  });

  it('have no cookie when all of its crumbs are empty', async () => {
    const double = await serve(
      (request, response) => void response.end(JSON.stringify([request.headers.cookie ?? 'none', request.rawHeaders.includes('cookie')])),
    );
    expect(JSON.parse((await get(call(double), { ':path': '/', cookie: '' })).body)).toEqual(['none', false]);
    expect(JSON.parse((await get(call(double), { ':path': '/', cookie: ['', 'a=1'] })).body)).toEqual(['a=1', true]);
  });

  it('answers HEAD and 204 without a body', async () => {
    const double = await serve((request, response) => {
      if (request.method === 'HEAD') response.setHeader('content-length', 7).end();
      else response.writeHead(204).end();
    });
    const session = call(double);
    const head = await get(session, { ':path': '/', ':method': 'HEAD' });
    expect([head.headers[':status'], head.headers['content-length'], head.body]).toEqual([200, '7', '']);
    expect((await get(session, { ':path': '/' })).headers[':status']).toBe(204);
  });

  it.each([
    ['content-length', '0'],
    ['transfer-encoding', 'identity'],
    ['connection', 'upgrade'],
  ])('gets one request of each stream, with the body as it came, although a filter writes %s: %s', async (name, value) => {
    const seen: [string | undefined, string][] = [];
    const framing: Filter = { name: 'framing', onRequest: ({ request }) => void request.setHeader(name, value) };
    const double = await serve(
      (request, response) => {
        let body = '';
        request.on('data', (chunk) => {
          body += chunk;
        });
        request.on('end', () => {
          seen.push([request.url, body]);
          response.end('ok');
        });
      },
      { filters: [framing, denyAdmin] },
    );
    const hidden = 'GET /admin HTTP/1.1\r\nhost: a\r\n\r\n';
    for (const headers of [{}, { 'content-length': hidden.length }]) {
      const stream = call(double).request({ ':authority': 'a', ':path': '/', ':method': 'POST', ...headers });
      stream.end(hidden);
      expect((await answerOf(stream)).body).toBe('ok');
    }
    expect(seen).toEqual([
      ['/', hidden],
      ['/', hidden],
    ]);
  });
});
