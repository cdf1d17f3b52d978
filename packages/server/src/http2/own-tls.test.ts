import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type Filter, localReply } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { peerOf } from '../peer.ts';
import { Probes } from '../probes.ts';
import { type ClientTls, RawClient } from '../testing/raw-client.ts';
import { chainsOf, type DoubleOptions, ServerDouble } from '../testing/server-double.ts';
import { TestAuthority, TestIdentity } from '../testing/test-authority.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../tls-acceptor.ts';

const CALLER = 'spiffe://cluster.local/ns/default/sa/caller';

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

type Form = 'streams' | 'requests' | 'HTTP/1 as well';
const FORMS: readonly Form[] = ['streams', 'requests', 'HTTP/1 as well'];

/** A secure server of node:http2 that says who called it, by what protocol and scheme, and what it heard of a certificate. */
function createApp(form: Form): Http2SecureServer {
  const certificate = publicCa.issue({ dns: ['shop.example'] });
  const said = (peer: ReturnType<typeof peerOf>, version: string, headers: IncomingHttpHeaders): string =>
    [peer?.spiffeId ?? 'stranger', version, headers['x-forwarded-proto'], headers['x-forwarded-client-cert']].join(' ');
  if (form === 'streams')
    return createSecureServer(certificate).on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(said(peerOf({ stream }), '2.0', headers));
    });
  return createSecureServer(
    { ...certificate, allowHTTP1: form === 'HTTP/1 as well' },
    (request: Http2ServerRequest, response: Http2ServerResponse) =>
      void response.end(said(peerOf(request), request.httpVersion, request.headers)),
  );
}

async function serve(form: Form, options: DoubleOptions = {}): Promise<ServerDouble> {
  const identity = new TestIdentity(mesh, 'spiffe://cluster.local/ns/default/sa/server');
  const double = await ServerDouble.start(createApp(form), { identity, filters: [denyAdmin], ...options });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

const ofMesh = (...alpn: string[]): ClientTls => ({ ...mesh.issue({ uris: [CALLER] }), ALPNProtocols: ['istio', ...alpn] });
const outsider = (...alpn: string[]): ClientTls => ({ ALPNProtocols: alpn, servername: 'shop.example' });

interface Http2Client {
  readonly session: ClientHttp2Session;
  readonly socket: TLSSocket;
  get(path: string, headers?: Record<string, string>): Promise<{ readonly status: number; readonly body: string }>;
}

function openHttp2({ port }: ServerDouble, tls?: ConnectionOptions): Http2Client {
  let socket: TLSSocket | undefined;
  const secure = (): TLSSocket => {
    socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...tls });
    return socket;
  };
  const session = connect(`http://127.0.0.1:${port}`, tls === undefined ? {} : { createConnection: secure });
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const stream = session.request({ ':path': path, ':authority': 'a', ...headers });
    const failed = new Promise<never>((_resolve, reject) => {
      stream.once('error', reject);
      stream.once('close', () => reject(new Error('the stream was closed')));
    });
    const [head] = (await Promise.race([once(stream, 'response'), failed])) as [IncomingHttpHeaders];
    let body = '';
    for await (const chunk of stream) body += chunk;
    return { status: Number(head[':status']), body };
  };
  return { session, socket: socket!, get };
}

/** What the app says, and whose certificate was shown; or 'refused'. */
async function outcome(double: ServerDouble, version: 'h1' | 'h2', tls?: ClientTls): Promise<string> {
  try {
    const { client, body } = version === 'h2' ? await askHttp2(double, tls) : await askHttp1(double, tls);
    const [who, spoken] = body.split(' ');
    const names = tls === undefined ? '' : ((client as TLSSocket).getPeerCertificate().subjectaltname ?? '');
    return `${who === CALLER ? 'caller' : who} ${spoken} ${names.includes('shop.example') ? 'its own' : 'the mesh'}`;
  } catch (error) {
    return /ended|ECONNRESET|alert|socket disconnected|closed|cancel/i.test(String(error)) ? 'refused' : String(error);
  }
}

async function askHttp2(double: ServerDouble, tls?: ClientTls) {
  const client = openHttp2(double, tls);
  return { client: client.socket, body: (await client.get('/')).body };
}

async function askHttp1(double: ServerDouble, tls?: ClientTls) {
  const client = await RawClient.open(double.port, tls);
  cleanups.push(() => client.close());
  return { client: client.socket, body: (await client.get()).body };
}

describe.each(FORMS)('a secure server of node:http2, %s', (form) => {
  const http1 = form === 'HTTP/1 as well';

  it.each([
    ['PERMISSIVE', 'caller 2.0 the mesh', 'stranger 2.0 its own', 'caller 1.1 the mesh', 'stranger 1.1 its own'],
    ['STRICT', 'caller 2.0 the mesh', 'refused', 'caller 1.1 the mesh', 'refused'],
    ['DISABLE', 'stranger 2.0 its own', 'stranger 2.0 its own', 'stranger 1.1 its own', 'stranger 1.1 its own'],
  ] as const)('%s: by h2 the mesh is %s, others %s; by HTTP/1 %s and %s', async (mode, meshH2, otherH2, meshH1, otherH1) => {
    const double = await serve(form, { mode });
    expect(await outcome(double, 'h2'), 'plaintext h2').toBe('refused');
    expect(await outcome(double, 'h1'), 'plaintext HTTP/1').toBe('refused');
    expect(await outcome(double, 'h2', ofMesh('h2')), 'mesh h2').toBe(meshH2);
    expect(await outcome(double, 'h2', outsider('h2')), 'outsider h2').toBe(otherH2);
    expect(await outcome(double, 'h1', ofMesh('http/1.1')), 'mesh HTTP/1').toBe(http1 ? meshH1 : 'refused');
    expect(await outcome(double, 'h1', outsider('http/1.1')), 'outsider HTTP/1').toBe(http1 ? otherH1 : 'refused');
    expect(await outcome(double, 'h1', outsider()), 'outsider without ALPN').toBe(http1 ? otherH1 : 'refused');
  });

  it('takes the first bytes for the protocol when a caller of the mesh names none', async () => {
    const double = await serve(form);
    expect(await outcome(double, 'h2', ofMesh())).toBe('caller 2.0 the mesh');
    expect(await outcome(double, 'h1', ofMesh())).toBe(http1 ? 'caller 1.1 the mesh' : 'refused');
  });

  it('has the policies of the mesh in front of its requests, whoever does the TLS', async () => {
    const double = await serve(form);
    for (const tls of [outsider('h2'), ofMesh('h2')]) {
      const client = openHttp2(double, tls);
      for (const path of ['/admin', '/x/../admin', '/%61dmin']) expect((await client.get(path)).status).toBe(403);
      expect((await client.get('/')).status).toBe(200);
    }
    if (http1)
      for (const tls of [outsider('http/1.1'), ofMesh('http/1.1')]) {
        const client = await RawClient.open(double.port, tls);
        cleanups.push(() => client.close());
        for (const path of ['/admin', '/x/../admin', '/%61dmin']) expect((await client.get(path)).status).toBe(403);
        expect((await client.get('/')).status).toBe(200);
      }
    expect(double.finished.map(({ outcome: { status } }) => status).filter((status) => status === 200)).toHaveLength(http1 ? 4 : 2);
    expect(double.finished).toHaveLength(http1 ? 16 : 8);
  });

  it('takes no word of a stranger for who he is', async () => {
    const forged = { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/default/sa/admin' };
    const client = openHttp2(await serve(form), outsider('h2'));
    expect((await client.get('/', forged)).body).toBe('stranger 2.0 https ');
  });

  it('answers no plaintext but its probes, and those when it reads HTTP/1', async () => {
    const deny: Filter = { name: 'deny', onRequest: () => localReply({ status: 403, details: 'rbac' }) };
    for (const mode of ['STRICT', 'PERMISSIVE', 'DISABLE'] as const) {
      const double = await serve(form, { mode, filters: [deny], probes: http1 ? new Probes(['/healthz']) : undefined });
      const get = async (path: string): Promise<string> => {
        const client = await RawClient.open(double.port);
        cleanups.push(() => client.close());
        return client.get(path).then(
          ({ body }) => body,
          () => 'refused',
        );
      };
      expect(await get('/healthz'), mode).toBe(http1 ? 'stranger 1.1  ' : 'refused');
      expect(await get('/'), mode).toBe('refused');
    }
  });

  it('loses its outsiders when the port becomes STRICT', async () => {
    const double = await serve(form);
    const { session, get } = openHttp2(double, outsider('h2'));
    expect((await get('/')).status).toBe(200);
    const closed = once(session, 'close');
    double.swap(chainsOf('STRICT'));
    await closed;
    expect(await outcome(double, 'h2', outsider('h2'))).toBe('refused');
  });

  it('holds nobody who is slow with its handshake', async () => {
    const double = await serve(form);
    const slow = await RawClient.open(double.port);
    cleanups.push(() => slow.close());
    slow.write(await clientHello());
    await expect.poll(() => slow.unread.length, { interval: 1 }).toBeGreaterThan(0); // its ServerHello: the handshake runs
    double.clock.advance(HANDSHAKE_TIMEOUT_MS);
    expect((await slow.rest()).length).toBeGreaterThan(0);
  });

  it('is left as it was when the port cannot be had', async () => {
    const first = await serve(form);
    const app = createApp(form);
    const counts = (): number[] =>
      ['connection', 'secureConnection', 'checkContinue', 'connect', 'request'].map((event) => app.listenerCount(event));
    const before = counts();
    await expect(ServerDouble.start(app, { port: first.port })).rejects.toThrow('something else listens there');
    expect(counts()).toEqual(before);
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => app.close());
    const bare = openHttp2({ port: (app.address() as AddressInfo).port } as ServerDouble, outsider('h2'));
    expect((await bare.get('/admin')).status).toBe(200);
    bare.session.destroy();
  });
});

describe('a secure server of node:http2 that reads HTTP/1 as well', () => {
  it('has one guard in front of every event: expectations, upgrades, CONNECT', async () => {
    const app = createApp('HTTP/1 as well');
    const heard: string[] = [];
    app.on('upgrade', (request, socket) => {
      heard.push(`upgrade ${request.url}`);
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    });
    app.on('connect', (request) => heard.push(`connect ${request.url}`));
    const identity = new TestIdentity(mesh, 'spiffe://cluster.local/ns/default/sa/server');
    const double = await ServerDouble.start(app, { identity, filters: [denyAdmin] });
    cleanups.push(() => double[Symbol.asyncDispose]());
    const ask = async (bytes: string): Promise<number[]> => {
      const client = await RawClient.open(double.port, outsider('http/1.1'));
      cleanups.push(() => client.close());
      client.write(bytes);
      const statuses: number[] = [];
      do statuses.push((await client.head()).status);
      while (statuses.at(-1) === 100);
      return statuses;
    };
    const upgrade = 'Host: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    const expecting = 'Host: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n';
    expect(await ask(`GET /admin HTTP/1.1\r\n${upgrade}`)).toEqual([403]);
    expect(await ask(`GET /public HTTP/1.1\r\n${upgrade}`)).toEqual([101]);
    expect(await ask(`POST /admin HTTP/1.1\r\n${expecting}`)).toEqual([403]);
    expect(await ask(`POST /public HTTP/1.1\r\n${expecting}x`)).toEqual([100, 200]);
    expect(await ask('POST /public HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n')).toEqual([417]);
    expect(await ask('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n')).toEqual([404]);
    expect(heard).toEqual(['upgrade /public']);
    const { session } = openHttp2(double, outsider('h2'));
    const statuses: number[] = [];
    for (const path of ['/admin', '/public']) {
      const stream = session.request({ ':path': path, ':authority': 'a', ':method': 'POST', expect: '100-continue' });
      stream.on('continue', () => statuses.push(100));
      stream.once('response', (headers) => statuses.push(Number(headers[':status'])));
      stream.end('x');
      stream.resume();
      await once(stream, 'close');
    }
    expect(statuses).toEqual([403, 100, 200]);
  });
});

/** What OpenSSL begins a handshake with. */
async function clientHello(): Promise<Buffer> {
  const [near, far] = duplexPair();
  const client = connectTls({ socket: near, ALPNProtocols: ['h2'] });
  client.on('error', () => {});
  const [bytes] = (await once(far, 'data')) as [Buffer];
  client.destroy();
  return bytes;
}
