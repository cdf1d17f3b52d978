import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import grpc from '@grpc/grpc-js';
import {
  ANY_RULE,
  authenticatedRule,
  createRbac,
  type Filter,
  type FilterChain,
  formatResponseFlags,
  localReply,
  type TransportSocket,
} from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, describe, expect, it } from 'vitest';
import { bindMeshServer, type MeshServerBinding } from './bind-mesh-server.ts';
import { createGrpcChannelOptions } from './channel-options.ts';
import { meshCredentials } from './mesh-credentials.ts';
import { meshTarget } from './mesh-target.ts';
import { failure, Greeter, type GreeterHandlers, greeterService, type Hello } from './testing/greeter.ts';
import { clusterSpec, endpointSpec, forwardTo, inboundChain, MeshDouble, routeOf } from './testing/mesh-double.ts';
import { type Authority, istioMutual, MESH_ALPN, MESH_TLS, TestIdentity } from './testing/test-identity.ts';

const CLIENT = 'spiffe://cluster.local/ns/default/sa/productpage';
const SERVER = 'spiffe://cluster.local/ns/default/sa/greeter';
const PORT = 50051;
const DAY_MS = 86_400_000;

/** A CA of a test, whose leaves carry one SPIFFE id. */
class TestAuthority implements Authority {
  readonly #root = createSelfSignedRoot({ organization: 'test', notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS });

  get certificatePem(): string {
    return this.#root.certificatePem;
  }

  issue(spiffeId: string): { certificatePem: string; keyPem: string } {
    const keys = createKeyPair();
    const issuer = { certificatePem: this.certificatePem, privateKey: this.#root.keyPair.privateKey };
    const validity = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS };
    const certificatePem = issueCertificate(issuer, { publicKey: keys.publicKey, names: { uris: [spiffeId] }, ...validity });
    return { certificatePem, keyPem: privateKeyPem(keys.privateKey) };
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

const anyMatch = { destinationPort: PORT, serverNames: [], applicationProtocols: [] };
const plainChain = (filters: readonly Filter[]): FilterChain =>
  inboundChain(PORT, filters, { match: { ...anyMatch, transportProtocol: 'raw_buffer' } });
const mutualChain = (filters: readonly Filter[]): FilterChain =>
  inboundChain(PORT, filters, { match: { ...anyMatch, transportProtocol: 'tls', applicationProtocols: MESH_ALPN }, tls: MESH_TLS });

const hello: GreeterHandlers = { greet: (call, callback) => callback(null, { text: `hello ${call.request.text}` }) };

function serverOf(handlers: GreeterHandlers, options: grpc.ServerOptions = {}): grpc.Server {
  const server = new grpc.Server(options);
  server.addService(greeterService, handlers as grpc.UntypedServiceImplementation);
  cleanups.push(() => server.forceShutdown());
  return server;
}

async function serve(double: MeshDouble, handlers: GreeterHandlers = hello): Promise<MeshServerBinding> {
  const binding = await bindMeshServer(serverOf(handlers), double, { workloadPort: PORT, port: 0 });
  cleanups.push(() => binding.close({ drainMs: 0 }));
  return binding;
}

/** A client in a mesh of its own. */
function call(
  port: number,
  transport: TransportSocket = { kind: 'raw' },
  identity?: TestIdentity,
): { double: MeshDouble; client: Greeter } {
  const double = new MeshDouble({
    clusters: [clusterSpec('greeter', [endpointSpec(port, transport)])],
    routes: [routeOf(forwardTo('greeter'))],
    ...(identity === undefined ? {} : { identity }),
  });
  const client = new Greeter(meshTarget('greeter', PORT), meshCredentials(), createGrpcChannelOptions(double));
  cleanups.push(() => client.close());
  return { double, client };
}

function allowOnly(spiffeId: string): Filter {
  const policy = {
    name: 'ns[default]-policy[only]-rule[0]',
    permission: ANY_RULE,
    principal: authenticatedRule((name) => name === spiffeId),
  };
  return createRbac({ rules: { action: 'ALLOW', policies: [policy] }, shadowRules: undefined, shadowPrefix: '' })!;
}

describe('a gRPC server in the mesh', () => {
  it('sees the caller by its SPIFFE id over mutual TLS, and only that one may call', async () => {
    const authority = new TestAuthority();
    const server = new MeshDouble({ inbound: [mutualChain([allowOnly(CLIENT)])], identity: new TestIdentity(authority, SERVER) });
    const { port } = await serve(server);
    const friend = call(port, istioMutual(SERVER), new TestIdentity(authority, CLIENT));
    expect(await friend.client.greet('friend')).toEqual({ text: 'hello friend' });
    const { x, outcome } = server.finished[0]!;
    expect([x.peer.uriSans, x.peer.mtls, x.peer.alpn]).toEqual([[CLIENT], true, 'h2']);
    expect([x.protocol, x.matchPath, x.request.authority, outcome.grpcStatus]).toEqual([
      'grpc',
      '/test.Greeter/Greet',
      `greeter:${PORT}`,
      0,
    ]);
    expect(x.request.header('x-forwarded-client-cert')).toContain(`URI=${CLIENT}`);

    const stranger = call(port, istioMutual(SERVER), new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/other'));
    const denied = await failure(stranger.client.greet('stranger'));
    expect([denied.code, denied.details]).toEqual([grpc.status.PERMISSION_DENIED, 'RBAC: access denied']);
    expect(server.finished[1]).toMatchObject({
      x: { details: 'rbac_access_denied_matched_policy[none]' },
      outcome: { status: 200, grpcStatus: 7 },
    });
  });

  it('answers INTERNAL when a filter answers what no metadata can carry, and goes on', async () => {
    const answers: Filter = { name: 'f', onRequest: async () => localReply({ status: 401, details: 'x', headers: [['x-user', '日本']] }) };
    const server = new MeshDouble({ inbound: [plainChain([answers])] });
    const { client } = call((await serve(server)).port);
    for (let at = 0; at < 2; at++)
      expect(await failure(client.greet('a'))).toMatchObject({ code: grpc.status.INTERNAL, details: 'a filter of the mesh failed' });
  });

  it('answers INTERNAL when a filter writes to a response what no metadata can carry', async () => {
    const writes: Filter = { name: 'f', onResponse: (_x, head) => head.setHeader('x-user', '日本') };
    const server = new MeshDouble({ inbound: [plainChain([writes])] });
    const { client } = call((await serve(server)).port);
    expect(await failure(client.greet('a'))).toMatchObject({ code: grpc.status.INTERNAL, details: 'a filter of the mesh failed' });
    expect(server.finished).toHaveLength(1);
  });

  it('answers though a filter fails at the end of the call', async () => {
    const fails: Filter = {
      name: 'f',
      onEnd: () => {
        throw new Error('at the end');
      },
    };
    const server = new MeshDouble({ inbound: [plainChain([fails])] });
    const { client } = call((await serve(server)).port);
    expect(await client.greet('a')).toEqual({ text: 'hello a' });
    expect(server.finished).toHaveLength(1);
    expect(server.logged).toContainEqual(expect.stringContaining('a filter failed at end: at the end'));
  });

  it('speaks plaintext and mutual TLS on one port when PERMISSIVE, and refuses plaintext from the next call on when STRICT', async () => {
    const authority = new TestAuthority();
    const server = new MeshDouble({ inbound: [mutualChain([]), plainChain([])], identity: new TestIdentity(authority, SERVER) });
    const { port } = await serve(server);
    const plain = call(port);
    const mutual = call(port, istioMutual(SERVER), new TestIdentity(authority, CLIENT));
    expect(await plain.client.greet('plain')).toEqual({ text: 'hello plain' });
    expect(await mutual.client.greet('mutual')).toEqual({ text: 'hello mutual' });
    expect(server.finished.map(({ x }) => x.peer.mtls)).toEqual([false, true]);

    server.push({ inbound: [mutualChain([])] });
    expect((await failure(plain.client.greet('again'))).code).toBe(grpc.status.UNAVAILABLE);
    await expect.poll(async () => (await failure(plain.client.greet('anew'))).details).toContain('upstream connect error');
    expect(await mutual.client.greet('still')).toEqual({ text: 'hello still' });
    expect(server.finished).toHaveLength(3);
  });

  it('refuses a caller of another trust, and a client refuses a server that is somebody else', async () => {
    const authority = new TestAuthority();
    const server = new MeshDouble({ inbound: [mutualChain([])], identity: new TestIdentity(authority, SERVER) });
    const { port } = await serve(server);
    const foreign = call(port, { ...istioMutual(SERVER), trust: undefined }, new TestIdentity(new TestAuthority(), CLIENT));
    expect((await failure(foreign.client.greet('hello'))).code).toBe(grpc.status.UNAVAILABLE);
    await expect.poll(() => server.logged.join()).toContain('CERTIFICATE_VERIFY_FAILED');

    const careful = call(port, istioMutual('spiffe://cluster.local/ns/default/sa/reviews'), new TestIdentity(authority, CLIENT));
    const refused = await failure(careful.client.greet('hello'));
    expect(refused.code).toBe(grpc.status.UNAVAILABLE);
    const { x } = careful.double.finished[0]!;
    expect(formatResponseFlags(x.flags)).toBe('UF');
    expect(x.transportFailure).toContain(`certificate_SANs_are_[${SERVER}]`);
    expect(careful.double.cluster('greeter').outcomes).toEqual([{ kind: 'reset', reason: 'tls-failure' }]);
    expect(server.finished).toHaveLength(0);
  });

  it('shows a new identity to the next call after a rotation, on both sides', async () => {
    const authority = new TestAuthority();
    const identities = { server: new TestIdentity(authority, SERVER), client: new TestIdentity(authority, CLIENT) };
    const server = new MeshDouble({ inbound: [mutualChain([])], identity: identities.server });
    const { port } = await serve(server);
    const { client } = call(port, istioMutual(SERVER), identities.client);
    await client.greet('one');
    identities.client.rotate('spiffe://cluster.local/ns/default/sa/renamed');
    identities.server.rotate(SERVER);
    await client.greet('two');
    expect(server.finished.map(({ x }) => x.peer.uriSans[0])).toEqual([CLIENT, 'spiffe://cluster.local/ns/default/sa/renamed']);
  });

  it('hears no caller any more whose root was taken out of the trust bundle, not on an open connection either', async () => {
    const authority = new TestAuthority();
    const identity = new TestIdentity(authority, SERVER);
    const server = new MeshDouble({ inbound: [mutualChain([])], identity });
    const { port } = await serve(server);
    const { client } = call(port, istioMutual(SERVER), new TestIdentity(authority, CLIENT));
    await client.greet('before');
    const other = new TestAuthority().certificatePem;
    identity.rotate(SERVER, authority.certificatePem + other);
    await client.greet('while both are trusted');
    identity.rotate(SERVER, other);
    expect((await failure(client.greet('after'))).code).toBe(grpc.status.UNAVAILABLE);
    expect(server.finished.map(({ outcome }) => outcome.grpcStatus)).toEqual([0, 0]);
  });

  it.each<[string, (server: MeshDouble, binding: MeshServerBinding) => unknown]>([
    ['as they are', () => {}],
    ['whose chain is gone', (server) => server.push({ inbound: [] })],
    ['of a server that waits for their end', (_server, binding) => void binding.close({ drainMs: 60_000 })],
  ])('cuts the calls of callers whose root is taken out at once, those of connections %s', async (_state, meanwhile) => {
    const authority = new TestAuthority();
    const identity = new TestIdentity(authority, SERVER);
    const server = new MeshDouble({ inbound: [mutualChain([])], identity });
    const reached = Promise.withResolvers<void>();
    const binding = await serve(server, { greet: () => reached.resolve() }); // It never answers.
    const { client } = call(binding.port, istioMutual(SERVER), new TestIdentity(authority, CLIENT));
    const cut = failure(client.greet('long'));
    await reached.promise;
    await meanwhile(server, binding);
    const other = new TestAuthority().certificatePem;
    identity.rotate(SERVER, authority.certificatePem + other);
    expect(server.finished).toHaveLength(0);
    identity.rotate(SERVER, other);
    expect((await cut).code).toBe(grpc.status.UNAVAILABLE);
  });

  it('resumes no session, so that a caller whose root was taken out does not come back by one', async () => {
    const authority = new TestAuthority();
    const { certificatePem: cert, keyPem: key } = authority.issue(CLIENT);
    const identity = new TestIdentity(authority, SERVER);
    const { port } = await serve(new MeshDouble({ inbound: [mutualChain([])], identity }));
    /** What the server says to an HTTP/2 caller: its SETTINGS, or nothing. */
    const greeted = async (version: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) => {
      const socket = connectTls({
        ...{ port, host: '127.0.0.1', cert, key, rejectUnauthorized: false, ALPNProtocols: ['istio', 'h2'] },
        ...{ minVersion: version, maxVersion: version, ...(session === undefined ? {} : { session }) },
      });
      socket.on('error', () => {});
      socket.once('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'));
      const bytes = await new Promise<number>((resolve) => {
        socket.once('data', (data: Buffer) => resolve(data.length));
        socket.once('close', () => resolve(0));
      });
      const next = bytes === 0 ? undefined : { session: socket.getSession()!, reused: socket.isSessionReused() };
      socket.destroy();
      return next;
    };
    const kept = new Map<'TLSv1.2' | 'TLSv1.3', Buffer>();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      kept.set(version, (await greeted(version))!.session);
      expect((await greeted(version, kept.get(version)))!.reused).toBe(false);
    }
    identity.rotate(SERVER, new TestAuthority().certificatePem);
    for (const [version, session] of kept) expect(await greeted(version, session)).toBeUndefined();
  });

  it('judges callers that say no server name, and calls by another method than POST as what they are', async () => {
    const authority = new TestAuthority();
    const { certificatePem: cert, keyPem: key } = authority.issue(CLIENT);
    const server = new MeshDouble({ inbound: [mutualChain([])], identity: new TestIdentity(authority, SERVER) });
    const { port } = await serve(server);
    const secure = () => connectTls({ port, host: '127.0.0.1', cert, key, rejectUnauthorized: false, ALPNProtocols: ['istio', 'h2'] });
    const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: secure });
    cleanups.push(() => session.destroy());
    const stream = session.request({
      ':method': 'PUT',
      ':path': '/test.Greeter/Greet',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    stream.close();
    expect([headers['grpc-status'], decodeURIComponent(String(headers['grpc-message']))]).toEqual(['12', 'gRPC calls are made by POST']);
    const { x } = server.finished[0]!;
    expect([x.request.method, x.peer.uriSans, x.details]).toEqual(['PUT', [CLIENT], 'ripstop_grpc_method']);
  });

  it("tells a handler the caller's deadline, and reports calls that are cancelled or late", async () => {
    let deadline = 0;
    const server = new MeshDouble({ inbound: [plainChain([])] });
    const { port } = await serve(server, {
      greet: (handled) => {
        deadline = Number(handled.getDeadline());
      },
      list: (stream) => void stream.write({ text: 'first' }),
    });
    const { client } = call(port);
    const due = Date.now() + 80;
    expect((await failure(client.greet('late', new grpc.Metadata(), { deadline: due }))).code).toBe(grpc.status.DEADLINE_EXCEEDED);
    // What was left when the call was sent, counted from when it came.
    expect(deadline).toBeGreaterThanOrEqual(due - 2);
    expect(deadline).toBeLessThan(Date.now() + 80);
    await expect.poll(() => server.finished.length).toBe(1);

    const list = client.list('hello');
    list.on('error', () => {});
    await new Promise((resolve) => list.once('data', resolve));
    list.cancel();
    await expect.poll(() => server.finished.length).toBe(2);
    expect(server.finished[1]!.outcome).toMatchObject({ status: 200, grpcStatus: grpc.status.CANCELLED });
    expect(server.finished.map(({ x }) => formatResponseFlags(x.flags))).toEqual(['DC', 'DC']);
  });

  it('is the parent of the calls that its handlers make, streaming ones too', async () => {
    const backend = new MeshDouble({ inbound: [plainChain([])] });
    const { port: backendPort } = await serve(backend);
    const middle = new MeshDouble({
      inbound: [plainChain([])],
      clusters: [clusterSpec('backend', [endpointSpec(backendPort)])],
      routes: [routeOf(forwardTo('backend'))],
    });
    const onward = new Greeter(meshTarget('backend', PORT), meshCredentials(), createGrpcChannelOptions(middle));
    cleanups.push(() => onward.close());
    const { port } = await serve(middle, {
      greet: async (handled, callback) => callback(null, await onward.greet(handled.request.text)),
      chat: (stream) => stream.on('data', async ({ text }: Hello) => stream.write(await onward.greet(text))),
    });
    const { client } = call(port);
    await Promise.all([client.greet('one'), client.greet('two')]);
    const chat = client.chat();
    chat.on('error', () => {});
    chat.write({ text: 'three' });
    await new Promise((resolve) => chat.once('data', resolve));
    chat.cancel();
    await expect.poll(() => middle.finished.length).toBe(6);
    const made = middle.finished.filter(({ x }) => x.direction === 'outbound').map(({ x }) => x.parent);
    const served = middle.finished.filter(({ x }) => x.direction === 'inbound').map(({ x }) => x);
    expect(new Set(made)).toEqual(new Set(served));
    expect(made).toHaveLength(3);
  });

  it.each([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['HTTP/1.1 that begins as HTTP/2 does', 'POST / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a torn ClientHello', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'],
    ['noise', '\x00\xff\x00\xff'],
  ])('closes a connection that brings %s, and goes on', async (_name, bytes) => {
    const server = new MeshDouble({ inbound: [mutualChain([]), plainChain([])], identity: new TestIdentity(new TestAuthority(), SERVER) });
    const { port } = await serve(server);
    const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.from(bytes, 'latin1')));
    socket.on('error', () => {});
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await call(port).client.greet('next')).toEqual({ text: 'hello next' });
  });

  it('resets a TLS caller that does not offer the mesh protocols', async () => {
    const authority = new TestAuthority();
    const server = new MeshDouble({ inbound: [mutualChain([]), plainChain([])], identity: new TestIdentity(authority, SERVER) });
    const { port } = await serve(server);
    const foreign = call(port, { ...istioMutual(SERVER), alpnOverride: false }, new TestIdentity(authority, CLIENT));
    expect((await failure(foreign.client.greet('hello'))).code).toBe(grpc.status.UNAVAILABLE);
    expect(server.finished).toEqual([]);
  });

  it('lets calls in flight end when it closes', async () => {
    let answer: (() => void) | undefined;
    const server = new MeshDouble({ inbound: [plainChain([])] });
    const binding = await serve(server, {
      greet: (_call, callback) => {
        answer = () => callback(null, { text: 'done' });
      },
    });
    const { client } = call(binding.port);
    const running = client.greet('slow');
    await expect.poll(() => answer).toBeDefined();
    const closing = binding.close({ drainMs: 2_000 });
    answer!();
    expect(await running).toEqual({ text: 'done' });
    await closing;
    expect((await failure(client.greet('again'))).code).toBe(grpc.status.UNAVAILABLE);
  });
});
