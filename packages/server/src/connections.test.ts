import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PEEK_TIMEOUT_MS } from './connection-peek.ts';
import { peerOf } from './peer.ts';
import { type ClientTls, RawClient } from './testing/raw-client.ts';
import { chainsOf, type DoubleOptions, MESH_TLS, ServerDouble } from './testing/server-double.ts';
import { type LeafSpec, TestAuthority, TestIdentity } from './testing/test-authority.ts';

const SERVER = 'spiffe://cluster.local/ns/default/sa/server';
const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

async function serve(options: DoubleOptions = {}, identity = new TestIdentity(authority, SERVER)): Promise<ServerDouble> {
  const app = createServer((request, response) => void response.end(peerOf(request)?.spiffeId ?? 'stranger'));
  const double = await ServerDouble.start(app, { identity, ...options });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function call({ port }: ServerDouble, tls?: ClientTls): Promise<RawClient> {
  const client = await RawClient.open(port, tls);
  cleanups.push(() => client.close());
  return client;
}

const istio = ['istio-http/1.1', 'istio', 'http/1.1'];
const certified = (leaf: LeafSpec = { uris: [CALLER] }, from: TestAuthority = authority): ClientTls => ({
  ...from.issue(leaf),
  ALPNProtocols: istio,
});

/** What a caller gets: a body, or how the connection ends. */
async function outcome(double: ServerDouble, tls?: ClientTls): Promise<string> {
  try {
    const client = await call(double, tls);
    return (await client.get()).body;
  } catch (error) {
    return /ended|ECONNRESET|alert|socket disconnected/i.test(String(error)) ? 'refused' : String(error);
  }
}

describe('one port', () => {
  it.each([
    ['PERMISSIVE', 'stranger', CALLER, 'refused'],
    ['STRICT', 'refused', CALLER, CALLER],
    ['DISABLE', 'stranger', 'refused', 'refused'],
  ] as const)('%s: plaintext %s, mesh TLS %s, other TLS %s', async (mode, plain, mesh, other) => {
    const double = await serve({ mode });
    expect(await outcome(double)).toBe(plain);
    expect(await outcome(double, certified())).toBe(mesh);
    expect(await outcome(double, { ...certified(), ALPNProtocols: ['http/1.1'] })).toBe(other);
  });

  it('speaks TLS 1.2 and 1.3, and chooses http/1.1 only when it is offered', async () => {
    const double = await serve();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const client = await call(double, { ...certified(), minVersion: version, maxVersion: version });
      expect((client.socket as TLSSocket).getProtocol()).toBe(version);
      expect((client.socket as TLSSocket).alpnProtocol).toBe('http/1.1');
      expect((await client.get()).body).toBe(CALLER);
    }
    const bare = await call(double, { ...certified(), ALPNProtocols: ['istio'] });
    expect((bare.socket as TLSSocket).alpnProtocol).toBe(false);
    expect((await bare.get()).body).toBe(CALLER);
  });

  it('refuses TLS while it has no certificate, and everything while it has no configuration', async () => {
    const identity = new TestIdentity(authority, SERVER);
    const double = await serve({}, identity);
    identity.lose();
    expect(await outcome(double, certified())).toBe('refused');
    expect(await outcome(double)).toBe('stranger');
    double.swap([]);
    expect(await outcome(double)).toBe('refused');
    expect(double.log.join('\n')).toContain('no certificate');
  });
});

describe('the first bytes of a connection', () => {
  it('may come one by one', async () => {
    const client = await call(await serve());
    client.socket.setNoDelay(true);
    for (const char of 'GET / HTTP/1.1\r\nHost: a\r\n\r\n') {
      client.write(char);
      await new Promise(setImmediate);
    }
    expect((await client.response()).body).toBe('stranger');
  });

  it('are waited for 15 s', async () => {
    const double = await serve();
    const silent = await call(double);
    const half = await call(double);
    half.write(Buffer.from([0x16, 3, 1]));
    await expect.poll(() => double.clock.pending, { interval: 1 }).toBe(2);
    double.clock.advance(PEEK_TIMEOUT_MS - 1);
    expect([silent.socket.readableEnded, half.socket.readableEnded]).toEqual([false, false]);
    double.clock.advance(1);
    expect(await silent.rest()).toBe('');
    expect(await half.rest()).toBe('');
    expect(double.clock.pending).toBe(0);
  });

  it('that are neither are answered 400 where plaintext is served, and reset where not', async () => {
    const garbage = Buffer.from('160301000500000000ff', 'hex');
    const permissive = await call(await serve());
    permissive.write(garbage);
    expect((await permissive.response()).status).toBe(400);
    const strict = await call(await serve({ mode: 'STRICT' }));
    strict.write(garbage);
    expect(await strict.rest()).toBe('');
  });

  it('that promise a giant ClientHello are refused before it is there', async () => {
    const client = await call(await serve({ mode: 'STRICT' }));
    client.write(Buffer.from('1603014000010f0000', 'hex'));
    client.write(Buffer.alloc(16_384));
    expect(await client.rest()).toBe('');
  });

  it('are forgotten when the caller leaves', async () => {
    const double = await serve();
    const client = await call(double);
    client.write(Buffer.from([0x16]));
    await expect.poll(() => double.clock.pending, { interval: 1 }).toBe(1);
    client.close();
    await expect.poll(() => double.clock.pending, { interval: 1 }).toBe(0);
  });
});

describe('a caller’s certificate', () => {
  const HOUR_MS = 3_600_000;
  it.each<[string, LeafSpec, string]>([
    ['of the mesh', { uris: [CALLER] }, CALLER],
    ['of another trust domain', { uris: ['spiffe://evil.local/ns/default/sa/caller'] }, 'refused'],
    ['of a trust domain in capitals', { uris: ['spiffe://CLUSTER.LOCAL/ns/default/sa/caller'] }, 'refused'],
    ['that begins like the trust domain', { uris: ['spiffe://cluster.local.evil/ns/default/sa/caller'] }, 'refused'],
    ['that has expired', { uris: [CALLER], notAfterMs: -HOUR_MS }, 'refused'],
    ['that is not valid yet', { uris: [CALLER], notBeforeMs: HOUR_MS }, 'refused'],
    ['without a name', {}, 'refused'],
    ['with a DNS name only', { dns: ['caller.default.svc'] }, 'refused'],
    ['with two URIs', { uris: [CALLER, 'spiffe://cluster.local/ns/default/sa/admin'] }, 'refused'],
    ['that is a CA', { uris: [CALLER], isCa: true }, 'refused'],
    ['for servers only', { uris: [CALLER], serverOnly: true }, 'refused'],
    ['with a query in its URI', { uris: [`${CALLER}?admin`] }, 'refused'],
    ['with an empty segment in its URI', { uris: ['spiffe://cluster.local/ns//sa/caller'] }, 'refused'],
    ['with user information in its URI', { uris: ['spiffe://cluster.local/ns/default@x/sa/caller'] }, 'refused'],
    ['with a DNS name that looks like two names', { uris: [CALLER], dns: ['a, URI:spiffe://cluster.local/ns/x/sa/admin'] }, CALLER],
  ])('%s: %s', async (_what, leaf, expected) => {
    expect(await outcome(await serve(), certified(leaf))).toBe(expected);
  });

  it('is needed, and another authority’s is none', async () => {
    const double = await serve();
    expect(await outcome(double, { ALPNProtocols: istio })).toBe('refused');
    expect(await outcome(double, certified({ uris: [CALLER] }, new TestAuthority()))).toBe('refused');
  });

  it.each<[string, ClientTls | (() => ClientTls), string]>([
    ['none', { ALPNProtocols: istio }, 'the caller showed no certificate'],
    ['an expired one', () => certified({ uris: [CALLER], notAfterMs: -HOUR_MS }), 'CERT_HAS_EXPIRED'],
    ['one that is not valid yet', () => certified({ uris: [CALLER], notBeforeMs: HOUR_MS }), 'CERT_NOT_YET_VALID'],
    ['one of another authority', () => certified({ uris: [CALLER] }, new TestAuthority()), 'UNABLE_TO_'],
    ['one of another trust domain', () => certified({ uris: ['spiffe://evil/a'] }), 'certificate SANs are [spiffe://evil/a]'],
    ['a CA', () => certified({ uris: [CALLER], isCa: true }), 'INVALID_PURPOSE'],
    ['one for servers only', () => certified({ uris: [CALLER], serverOnly: true }), 'INVALID_PURPOSE'],
  ])('that is refused is told of in the log: %s', async (_what, tls, reason) => {
    const double = await serve();
    expect(await outcome(double, typeof tls === 'function' ? tls() : tls)).toBe('refused');
    await expect.poll(() => double.log.join('\n'), { interval: 1 }).toContain(reason);
  });

  it('cannot write lines of its own into the log', async () => {
    const double = await serve();
    await outcome(double, certified({ uris: ['spiffe://evil/\nport 1: all is well'] }));
    await expect.poll(() => double.log.length, { interval: 1 }).toBe(1);
    expect(double.log[0]).not.toContain('\n');
  });

  it('is looked at again on each connection: sessions are not resumed', async () => {
    const double = await serve();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const tls = { ...certified(), maxVersion: version, minVersion: version };
      const first = await call(double, tls);
      let session: Buffer | undefined = (first.socket as TLSSocket).getSession();
      first.socket.on('session', (next: Buffer) => {
        session = next;
      });
      await first.get();
      const second = await call(double, { ...tls, ...(session === undefined ? {} : { session }) });
      await second.get();
      expect((second.socket as TLSSocket).isSessionReused()).toBe(false);
    }
  });
});

describe('rotation', () => {
  it('keeps live connections and shows the new certificate to new ones', async () => {
    const identity = new TestIdentity(authority, SERVER);
    const double = await serve({}, identity);
    const tls = certified();
    const before = await call(double, tls);
    await before.get();
    const serial = (client: RawClient): string => (client.socket as TLSSocket).getPeerCertificate().serialNumber;
    identity.rotate(authority, SERVER);
    const after = await call(double, tls);
    expect((await before.get()).body).toBe(CALLER);
    expect((await after.get()).body).toBe(CALLER);
    expect(serial(after)).not.toBe(serial(before));
  });

  it('to another root refuses callers of the old one: on new connections, on open ones, and on those that resume a session', async () => {
    const identity = new TestIdentity(authority, SERVER);
    const double = await serve({}, identity);
    const old = await call(double, certified());
    await old.get();
    const next = new TestAuthority();
    identity.rotate(next, SERVER, authority.certificatePem + next.certificatePem);
    expect((await old.get()).body).toBe(CALLER);
    expect(await outcome(double, certified())).toBe(CALLER);
    const resuming: ClientTls[] = [];
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const tls = { ...certified(), minVersion: version, maxVersion: version };
      const client = await call(double, tls);
      await client.get();
      resuming.push({ ...tls, session: (client.socket as TLSSocket).getSession()! });
    }
    identity.rotate(next, SERVER);
    expect(await old.rest()).toBe('');
    expect(await outcome(double, certified())).toBe('refused');
    for (const tls of resuming) expect(await outcome(double, tls)).toBe('refused');
    expect(await outcome(double, certified({ uris: [CALLER] }, next))).toBe(CALLER);
  });
});

describe('callers whose certificates come from an intermediate', () => {
  it('keep their connections while the bundle grows, and lose them when their root is taken out', async () => {
    const intermediate = new TestAuthority(authority);
    const identity = new TestIdentity(intermediate, SERVER);
    const double = await serve({}, identity);
    const open = await call(double, certified({ uris: [CALLER] }, intermediate));
    expect((await open.get()).body).toBe(CALLER);
    const next = new TestAuthority();
    identity.rotate(intermediate, SERVER, authority.certificatePem + next.certificatePem);
    expect((await open.get()).body).toBe(CALLER);
    identity.rotate(next, SERVER, authority.certificatePem + next.certificatePem);
    identity.rotate(next, SERVER, next.certificatePem + authority.certificatePem);
    expect((await open.get()).body).toBe(CALLER);
    identity.rotate(next, SERVER);
    expect(await open.rest()).toBe('');
  });
});

describe('callers below an intermediate that the server does not know', () => {
  const ofStranger = (): ClientTls => certified({ uris: [CALLER] }, new TestAuthority(authority));
  const both = (next: TestAuthority): string => authority.certificatePem + next.certificatePem;

  it('keep their connections while every root stays by which they were verified', async () => {
    const next = new TestAuthority();
    const identity = new TestIdentity(authority, SERVER);
    const double = await serve({}, identity);
    const open = await call(double, ofStranger());
    expect((await open.get()).body).toBe(CALLER);
    identity.rotate(authority, SERVER, both(next));
    identity.rotate(next, SERVER, next.certificatePem + authority.certificatePem);
    expect((await open.get()).body).toBe(CALLER);
    identity.rotate(next, SERVER);
    expect(await open.rest()).toBe('');
  });

  it('come again when one of those roots is gone, as nobody knows by which', async () => {
    const next = new TestAuthority();
    const identity = new TestIdentity(authority, SERVER, both(next));
    const double = await serve({}, identity);
    const open = await call(double, ofStranger());
    expect((await open.get()).body).toBe(CALLER);
    identity.rotate(authority, SERVER);
    expect(await open.rest()).toBe('');
    expect(await outcome(double, ofStranger())).toBe(CALLER);
  });
});

describe('a new configuration', () => {
  it('closes idle connections that it would not let in, and leaves the others', async () => {
    const double = await serve();
    const plain = await call(double);
    const mutual = await call(double, certified());
    await Promise.all([plain.get(), mutual.get()]);
    double.swap(chainsOf('STRICT'));
    expect(await plain.rest()).toBe('');
    expect((await mutual.get()).body).toBe(CALLER);
    const picky = { ...MESH_TLS, acceptsSans: (uris: readonly string[]) => uris.includes('spiffe://cluster.local/ns/default/sa/other') };
    double.swap(chainsOf('STRICT', {}, picky));
    expect(await mutual.rest()).toBe('');
  });

  it('lets a busy one finish its response', async () => {
    let finish: () => void = () => {};
    const app = createServer((_request, response) => {
      finish = () => response.end('done');
    });
    const double = await ServerDouble.start(app);
    cleanups.push(() => double[Symbol.asyncDispose]());
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n'.slice(0, 27));
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    double.swap(chainsOf('STRICT'));
    client.write('GET /second HTTP/1.1\r\nHost: a\r\n\r\n');
    await new Promise(setImmediate);
    finish();
    const response = await client.response();
    expect([response.body, response.header('connection')]).toEqual(['done', 'close']);
    expect(await client.rest()).toBe('');
    expect(double.started).toHaveLength(1);
  });

  it('gives streams and upgraded connections 45 s', async () => {
    const app = createServer();
    app.on('upgrade', (_request, socket: Socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const double = await ServerDouble.start(app);
    cleanups.push(() => double[Symbol.asyncDispose]());
    const client = await call(double);
    const upgraded = await client.get('/', 'Connection: upgrade\r\nUpgrade: websocket\r\n');
    expect(upgraded.status).toBe(101);
    double.swap(chainsOf('STRICT'));
    double.clock.advance(44_999);
    expect(client.socket.readableEnded).toBe(false);
    double.clock.advance(1);
    expect(await client.rest()).toBe('');
  });
});

describe('a root that is taken out', () => {
  it.each<[string, (double: ServerDouble) => unknown]>([
    ['as they are', () => {}],
    ['with 45 s left, as their chain is gone', (double) => double.swap(chainsOf('DISABLE'))],
    ['of a listener that drains', (double) => double.listener.drain()],
    ['of a listener that waits for their end', (double) => void double.listener.close({ drainMs: 60_000 })],
  ])('cuts the connections of its callers at once, busy and upgraded ones too: %s', async (_state, meanwhile) => {
    const app = createServer(() => {}); // It never answers.
    app.on('upgrade', (_request, socket: Socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const identity = new TestIdentity(authority, SERVER);
    const double = await ServerDouble.start(app, { identity });
    cleanups.push(() => double[Symbol.asyncDispose]());
    const [busy, upgraded, plain] = [await call(double, certified()), await call(double, certified()), await call(double)];
    for (const client of [upgraded, plain]) await client.get('/', 'Connection: upgrade\r\nUpgrade: websocket\r\n');
    busy.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(3);
    meanwhile(double);
    const next = new TestAuthority();
    identity.rotate(next, SERVER, authority.certificatePem + next.certificatePem);
    await new Promise(setImmediate);
    expect([busy, upgraded].map(({ socket }) => socket.closed)).toEqual([false, false]);
    identity.rotate(next, SERVER);
    await Promise.all([busy, upgraded].map((client) => client.rest()));
    expect(plain.socket.closed).toBe(false);
  });
});

describe('draining', () => {
  it('answers what is in flight, says that the connection closes, and takes nothing new', async () => {
    let finish: () => void = () => {};
    const app = createServer((request, response) => {
      if (request.url === '/slow') finish = () => response.end('done');
      else response.end('quick');
    });
    const double = await ServerDouble.start(app);
    const busy = await call(double);
    const idle = await call(double);
    await idle.get();
    busy.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(2);
    double.listener.drain();
    const last = await idle.get();
    expect([last.body, last.header('connection')]).toEqual(['quick', 'close']);
    const fresh = await call(double);
    expect((await fresh.get()).header('connection')).toBe('close');
    const waiting = await call(double);
    const closed = double.listener.close({ drainMs: 5_000 });
    expect(await waiting.rest()).toBe('');
    await expect(RawClient.open(double.port)).rejects.toThrow('ECONNREFUSED');
    finish();
    const response = await busy.response();
    expect([response.body, response.header('connection')]).toEqual(['done', 'close']);
    await closed;
    expect(double.clock.pending).toBe(0);
  });

  it('has an end', async () => {
    const double = await ServerDouble.start(() => {});
    const client = await call(double);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => double.started.length, { interval: 1 }).toBe(1);
    const closed = double.listener.close({ drainMs: 5_000 });
    double.clock.advance(5_000);
    await closed;
    expect(await client.rest()).toBe('');
    expect(double.finished).toHaveLength(1);
  });

  it('knows two listeners in one process apart', async () => {
    const [one, two] = [await serve(), await serve({ mode: 'STRICT' })];
    expect([await outcome(one), await outcome(two)]).toEqual(['stranger', 'refused']);
    await one[Symbol.asyncDispose]();
    expect(await outcome(two, certified())).toBe(CALLER);
  });
});

describe('upgrades', () => {
  async function serveUpgrades(answer: (socket: Socket, head: Buffer) => void): Promise<ServerDouble> {
    const app = createServer((request, response) => void response.end(`${request.httpVersion} ${request.headers.upgrade ?? '-'}`));
    app.on('upgrade', (_request, socket: Socket, head: Buffer) => answer(socket, head));
    const deny = { status: 403, details: '', body: 'RBAC: access denied', flags: 0, headers: [], grpcStatus: undefined };
    const filters = [{ name: 'deny', onRequest: (x: { matchPath: string }) => (x.matchPath === '/admin' ? deny : undefined) }];
    const identity = new TestIdentity(authority, SERVER);
    const double = await ServerDouble.start(app, { filters, identity });
    cleanups.push(() => double[Symbol.asyncDispose]());
    return double;
  }
  const echo = (socket: Socket, head: Buffer): void => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
  };
  const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

  it.each([
    ['plaintext', false],
    ['mTLS', true],
  ])('reach the app over %s, early bytes too', async (_transport, secure) => {
    const double = await serveUpgrades(echo);
    const client = await call(double, secure ? certified() : undefined);
    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${websocket}\r\nearly`);
    expect((await client.response()).status).toBe(101);
    expect(await client.bytes(5)).toBe('early');
    client.write('late');
    expect(await client.bytes(4)).toBe('late');
    client.close();
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(1);
    expect(double.finished[0]!.outcome.status).toBe(101);
  });

  it('are denied before any listener of the app, and the connection ends', async () => {
    let reached = false;
    const double = await serveUpgrades(() => {
      reached = true;
    });
    const client = await call(double);
    const response = await client.get('/admin', websocket);
    expect([response.status, response.body, response.header('connection')]).toEqual([403, 'RBAC: access denied', 'close']);
    await client.rest();
    expect(reached).toBe(false);
  });

  it('that the app refuses are counted with the app’s status', async () => {
    const double = await serveUpgrades((socket) => void socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n'));
    const client = await call(double);
    expect((await client.get('/', websocket)).status).toBe(401);
    client.close();
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(1);
    expect(double.finished[0]!.outcome.status).toBe(401);
  });

  it('of other kinds are refused, and HTTP/2 by upgrade is ignored', async () => {
    const double = await serveUpgrades(echo);
    const foo = await (await call(double)).get('/', 'Connection: upgrade\r\nUpgrade: foo\r\n');
    expect([foo.status, foo.body]).toEqual([403, '']);
    const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    expect((await (await call(double)).get('/', h2c)).body).toBe('1.1 -');
    expect((await (await call(double)).get('/admin', h2c)).status).toBe(403);
  });

  it('survive a caller that resets', async () => {
    const double = await serveUpgrades(echo);
    const client = await call(double);
    await client.get('/', websocket);
    client.socket.resetAndDestroy();
    await expect.poll(() => double.finished.length, { interval: 1 }).toBe(1);
  });

  it('are no tunnels: CONNECT meets the policies, then 404', async () => {
    const double = await serveUpgrades(echo);
    const client = await call(double);
    client.write('CONNECT evil:443 HTTP/1.1\r\nHost: a\r\n\r\n');
    const response = await client.response();
    expect([response.status, response.header('connection')]).toEqual([404, 'close']);
    await client.rest();
    expect(double.finished[0]!.x.details).toBe('route_not_found');
  });
});
