import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Filter, localReply } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SecureAppServer } from './app-server.ts';
import { OwnTls } from './own-tls.ts';
import { peerOf } from './peer.ts';
import { Probes } from './probes.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { type ClientTls, RawClient } from './testing/raw-client.ts';
import { chainsOf, type DoubleOptions, ServerDouble } from './testing/server-double.ts';
import { TestAuthority, TestIdentity } from './testing/test-authority.ts';

const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';
const CERTIFIED = ['istio-http/1.1', 'istio', 'http/1.1'];

let mesh: TestAuthority;
let publicCa: TestAuthority;
beforeAll(() => {
  mesh = new TestAuthority();
  publicCa = new TestAuthority();
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const denyAdmin: Filter = {
  name: 'deny-admin',
  onRequest: ({ request }) =>
    request.path === '/admin' ? localReply({ status: 403, details: 'rbac', body: 'RBAC: access denied' }) : undefined,
};

function answer(request: IncomingMessage): string {
  return `${peerOf(request)?.spiffeId ?? 'stranger'} ${String(request.headers['x-forwarded-proto'])} ${String(request.headers['x-forwarded-client-cert'])}`;
}

async function serve(options: DoubleOptions = {}): Promise<ServerDouble> {
  const app = createServer(publicCa.issue({ dns: ['shop.example'] }), (request, response) => void response.end(answer(request)));
  const identity = new TestIdentity(mesh, 'spiffe://cluster.local/ns/default/sa/server');
  const double = await ServerDouble.start(app, { identity, filters: [denyAdmin], ...options });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

async function open({ port }: ServerDouble, tls?: ClientTls): Promise<RawClient> {
  const client = await RawClient.open(port, tls);
  cleanups.push(() => client.close());
  return client;
}

const ofMesh = (): ClientTls => ({ ...mesh.issue({ uris: [CALLER] }), ALPNProtocols: CERTIFIED });
const outsider: ClientTls = { ALPNProtocols: ['h2', 'http/1.1'], servername: 'shop.example' };

/** Who the app says it is, and whose certificate was shown; or how the connection ends. */
async function outcome(double: ServerDouble, tls?: ClientTls): Promise<string> {
  try {
    const client = await open(double, tls);
    const { body } = await client.get();
    const names = (client.socket as TLSSocket).getPeerCertificate().subjectaltname ?? '';
    return `${body.split(' ')[0]} ${names.includes('shop.example') ? 'its own' : 'the mesh'}`;
  } catch (error) {
    return /ended|ECONNRESET|alert|socket disconnected/i.test(String(error)) ? 'refused' : String(error);
  }
}

describe('a server of node:https', () => {
  it.each([
    ['PERMISSIVE', 'refused', `${CALLER} the mesh`, 'stranger its own'],
    ['STRICT', 'refused', `${CALLER} the mesh`, 'refused'],
    ['DISABLE', 'refused', 'stranger its own', 'stranger its own'],
  ] as const)('%s: plaintext %s, mesh TLS %s, other TLS %s', async (mode, plain, meshTls, other) => {
    const double = await serve({ mode });
    expect(await outcome(double)).toBe(plain);
    expect(await outcome(double, ofMesh())).toBe(meshTls);
    expect(await outcome(double, outsider)).toBe(other);
  });

  it('says why it refuses', async () => {
    const double = await serve({ mode: 'STRICT', chains: chainsOf('PERMISSIVE').slice(0, 1) });
    await outcome(double);
    await outcome(double, outsider);
    expect(double.log).toEqual([
      expect.stringContaining('the server of this port speaks TLS of its own only'),
      expect.stringContaining('no filter chain takes callers without mutual TLS'),
    ]);
  });

  it('has the policies of the mesh in front of its requests, whoever does the TLS', async () => {
    const double = await serve();
    for (const tls of [outsider, ofMesh()]) {
      const client = await open(double, tls);
      expect((await client.get('/admin')).status).toBe(403);
      expect((await client.get('/')).status).toBe(200);
    }
    expect(double.finished.map(({ outcome: { status } }) => status)).toEqual([403, 200, 403, 200]);
  });

  it('takes no word of a stranger for who he is', async () => {
    const client = await open(await serve(), outsider);
    const forged = 'x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/admin\r\n';
    expect((await client.get('/', forged)).body).toBe('stranger https undefined');
  });

  it('loses its outsiders when the port becomes STRICT', async () => {
    const double = await serve();
    const client = await open(double, outsider);
    expect((await client.get()).status).toBe(200);
    double.swap(chainsOf('STRICT'));
    expect(await client.rest()).toBe('');
  });

  it('answers probes by plaintext, and nothing else; within its own TLS they are judged', async () => {
    const deny: Filter = { name: 'deny', onRequest: () => localReply({ status: 403, details: 'rbac' }) };
    for (const mode of ['STRICT', 'PERMISSIVE', 'DISABLE'] as const) {
      const double = await serve({ mode, filters: [deny], probes: new Probes(['/healthz']) });
      expect((await (await open(double)).get('/healthz')).body, mode).toBe('stranger undefined undefined');
      await expect((await open(double)).get('/'), mode).rejects.toThrow('ended');
      const pipelined = await open(double);
      pipelined.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await pipelined.response();
      expect(await pipelined.rest(), mode).toBe('');
      const within = open(double, outsider).then((client) => client.get('/healthz'));
      if (mode === 'STRICT') await expect(within).rejects.toThrow();
      else expect((await within).status, mode).toBe(403);
    }
  });

  it('goes on when a handshake fails', async () => {
    const double = await serve();
    await expect(open(double, { ...outsider, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })).rejects.toThrow();
    expect(await outcome(double, outsider)).toBe('stranger its own');
  });

  it('is left as it was when the port cannot be had', async () => {
    const first = await serve();
    const app = createServer(publicCa.issue({ dns: ['shop.example'] }), (_request, response) => void response.end('bare')) as Server;
    const counts = (): number[] => ['connection', 'secureConnection'].map((event) => app.listenerCount(event));
    const before = counts();
    await expect(ServerDouble.start(app, { port: first.port })).rejects.toThrow('something else listens there');
    expect(counts()).toEqual(before);
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => app.close());
    const { port } = app.address() as { port: number };
    const client = await RawClient.open(port, outsider);
    cleanups.push(() => client.close());
    expect((await client.get()).body).toBe('bare');
  });
});

describe('the handshake of a server’s own TLS', () => {
  class FakeSocket extends EventEmitter {
    destroyed = false;
    readonly alpnProtocol: string | false;
    constructor(alpnProtocol: string | false = false) {
      super();
      this.alpnProtocol = alpnProtocol;
    }
    destroy(): void {
      this.destroyed = true;
      this.emit('close');
    }
  }

  /** `handshake`: what the server does with a raw socket. */
  function attach(server: SecureAppServer, handshake: (raw: object) => void) {
    const clock = new FakeClock();
    server.removeAllListeners('connection').on('connection', handshake);
    const own = new OwnTls(server, clock);
    own.attach();
    const raw = new FakeSocket();
    const spoken: string[] = [];
    own.accept(raw as unknown as Socket, (_socket, one) => spoken.push(one));
    return { clock, raw, spoken };
  }

  it.each<[what: string, create: () => SecureAppServer, alpn: string | false, spoken: string]>([
    ['node:https', createServer, false, 'http1'],
    ['node:https', createServer, 'h2', 'http1'],
    ['node:http2', createSecureServer, 'h2', 'http2'],
    ['node:http2', createSecureServer, 'http/1.1', 'http1'],
    ['node:http2', createSecureServer, false, 'http1'],
  ])('of %s: ALPN decides what is spoken (%#)', (_what, create, alpn, expected) => {
    const server = create();
    const { spoken } = attach(server, () => server.emit('secureConnection', new FakeSocket(alpn)));
    expect(spoken).toEqual([expected]);
  });

  it('has 15 s, which are counted until it ends', () => {
    const slow = attach(createServer(), () => {});
    slow.clock.advance(14_999);
    expect(slow.raw.destroyed).toBe(false);
    slow.clock.advance(1);
    expect([slow.raw.destroyed, slow.spoken]).toEqual([true, []]);
    const gone = attach(createServer(), () => {});
    gone.raw.emit('close');
    expect(gone.clock.pending).toBe(0);
    const server = createServer();
    const done = attach(server, () => server.emit('secureConnection', new FakeSocket()));
    expect([done.clock.pending, done.spoken]).toEqual([0, ['http1']]);
  });

  it('that nobody has handed over lets nobody in', () => {
    const server = createServer();
    attach(server, () => {});
    const socket = new FakeSocket();
    server.emit('secureConnection', socket);
    expect(socket.destroyed).toBe(true);
  });
});
