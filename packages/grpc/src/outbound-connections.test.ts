import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer as createHttp2Server, constants as http2, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import grpc from '@grpc/grpc-js';
import { DEFAULT_THRESHOLDS, formatResponseFlags } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createGrpcChannelOptions } from './channel-options.ts';
import { meshCredentials } from './mesh-credentials.ts';
import { meshTarget } from './mesh-target.ts';
import { failure, Greeter, type GreeterHandlers, startGreeter } from './testing/greeter.ts';
import { clusterSpec, endpointSpec, forwardTo, MeshDouble, retryOn, routeOf } from './testing/mesh-double.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const run of cleanups.splice(0).reverse()) run();
});

async function serve(handlers: GreeterHandlers): Promise<number> {
  const server = await startGreeter(handlers);
  cleanups.push(server.close);
  return server.port;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** An HTTP/2 server that is no gRPC server. */
function answering(answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    answer(stream);
  });
  return listen(server);
}

/** Accepts connections and never says a word. */
function silent(): Promise<number> {
  return listen(createServer((socket) => void cleanups.push(() => socket.destroy())));
}

function clientOf(double: MeshDouble): Greeter {
  const client = new Greeter(meshTarget('greeter', 50051), meshCredentials(), createGrpcChannelOptions(double));
  cleanups.push(() => client.close());
  return client;
}

function meshTo(
  ports: readonly number[],
  action: Parameters<typeof forwardTo>[1] = {},
  changes: Parameters<typeof clusterSpec>[2] = {},
): MeshDouble {
  const endpoints = ports.map((port) => endpointSpec(port));
  return new MeshDouble({ clusters: [clusterSpec('greeter', endpoints, changes)], routes: [routeOf(forwardTo('greeter', action))] });
}

describe('a host that is looked up per call', () => {
  it('and that has no address is told of as Envoy tells it: no host is to blame, and nothing is retried', async () => {
    const double = meshTo([], { retry: retryOn('connect-failure') }, { kind: 'dynamic_forward_proxy' });
    const client = new Greeter(meshTarget('nobody.invalid', 50051), meshCredentials(), createGrpcChannelOptions(double));
    cleanups.push(() => client.close());
    const error = await failure(client.greet('hello'));
    expect([error.code, error.details]).toEqual([grpc.status.UNAVAILABLE, 'DNS resolution failure']);
    const [{ x }] = double.finished as [(typeof double.finished)[number]];
    expect([formatResponseFlags(x.flags), x.details, x.attempt]).toEqual([
      'DF',
      'dns_resolution_failure{cares_norecords:Domain_name_not_found}',
      1,
    ]);
  });
});

describe('what a broken endpoint counts as', () => {
  it.each([
    ['a refused stream', (stream: ServerHttp2Stream) => stream.close(http2.NGHTTP2_REFUSED_STREAM), 'refused-stream', 'UR'],
    ['a reset stream', (stream: ServerHttp2Stream) => stream.close(http2.NGHTTP2_INTERNAL_ERROR), 'remote-reset', 'UR'],
    ['a connection that ends', (stream: ServerHttp2Stream) => stream.session!.socket.destroy(), 'connection-termination', 'UC'],
  ] as const)('%s is what the retry policy calls it', async (_name, answer, reason, flag) => {
    let streams = 0;
    const bad = await answering((stream) => {
      streams++;
      answer(stream);
    });
    const alone = meshTo([bad]);
    const error = await failure(clientOf(alone).greet('hello'));
    expect(streams).toBe(1);
    expect([error.code, alone.cluster('greeter').outcomes]).toEqual([grpc.status.UNAVAILABLE, [{ kind: 'reset', reason }]]);
    expect(formatResponseFlags(alone.finished[0]!.x.flags)).toBe(flag);

    const good = await serve({ greet: (_call, callback) => callback(null, { text: 'good' }) });
    const policy = reason === 'refused-stream' ? 'refused-stream' : 'reset';
    const client = clientOf(meshTo([bad, good], { retry: retryOn(policy) }));
    expect([await client.greet('1'), await client.greet('2')]).toEqual([{ text: 'good' }, { text: 'good' }]);
  });

  it("takes a proxy's 503 for what it is: retried by status, else UNAVAILABLE", async () => {
    const bad = await answering((stream) => {
      stream.respond({ ':status': 503, 'content-type': 'text/plain' });
      stream.end('no healthy upstream');
    });
    const alone = meshTo([bad]);
    expect((await failure(clientOf(alone).greet('hello'))).code).toBe(grpc.status.UNAVAILABLE);
    expect(alone.cluster('greeter').outcomes).toMatchObject([{ kind: 'response', status: 503 }]);
    expect(alone.finished[0]!.outcome.status).toBe(503);

    const good = await serve({ greet: (_call, callback) => callback(null, { text: 'good' }) });
    const client = clientOf(meshTo([bad, good], { retry: retryOn('gateway-error') }));
    expect([await client.greet('1'), await client.greet('2')]).toEqual([{ text: 'good' }, { text: 'good' }]);
  });

  it('ends a connection that is not made within connect_timeout, and limits the calls that wait for one', async () => {
    const { connection } = clusterSpec('', []);
    const thresholds = { ...DEFAULT_THRESHOLDS, maxPendingRequests: 1 };
    const double = meshTo([await silent()], {}, { thresholds, connection: { ...connection, connectTimeoutMs: 60 } });
    const client = clientOf(double);
    const waiting = failure(client.greet('first'));
    expect((await failure(client.greet('second'))).metadata.get('x-envoy-overloaded')).toEqual(['true']);
    expect((await waiting).details).toContain('reset reason: connection timeout');
    const { outcomes, resources } = double.cluster('greeter');
    expect(outcomes).toEqual([
      { kind: 'reset', reason: 'overflow' },
      { kind: 'reset', reason: 'connect-timeout' },
    ]);
    expect([resources.pending.used, resources.requests.used, resources.connections.used]).toEqual([0, 0, 0]);
    expect(double.finished.map(({ x }) => formatResponseFlags(x.flags))).toEqual(['UO', 'UF']);
  });

  it('dials again at once when an endpoint has come back', async () => {
    const first = await startGreeter({ greet: (_call, callback) => callback(null, { text: 'first' }) });
    const client = clientOf(meshTo([first.port]));
    expect(await client.greet('hello')).toEqual({ text: 'first' });
    first.close();
    expect((await failure(client.greet('hello'))).code).toBe(grpc.status.UNAVAILABLE);
    const again = await startGreeter({ greet: (_call, callback) => callback(null, { text: 'back' }) }, first.port);
    cleanups.push(again.close);
    expect(await client.greet('hello')).toEqual({ text: 'back' });
  });
});

describe('connections', () => {
  it('are shared by the clients of one mesh, and never by two meshes', async () => {
    const peers = new Set<string>();
    const port = await serve({
      greet: (call, callback) => {
        peers.add(call.getPeer());
        callback(null, { text: 'hi' });
      },
    });
    const [one, other] = [meshTo([port]), meshTo([port])];
    const options = createGrpcChannelOptions(one);
    for (const shared of [options, options, createGrpcChannelOptions(other)]) {
      const client = new Greeter(meshTarget('greeter', 50051), meshCredentials(), shared);
      cleanups.push(() => client.close());
      await client.greet('hello');
    }
    expect(peers.size).toBe(2);
    expect([one.finished.length, other.finished.length]).toEqual([2, 1]);
  });

  it('tell the app in the context in which it called, whoever opened the connection', async () => {
    const port = await serve({ greet: (_call, callback) => callback(null, { text: 'hi' }) });
    const client = clientOf(meshTo([port]));
    const user = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const ask = (name: string): void =>
      user.run(name, () => {
        client.makeUnaryRequest(
          '/test.Greeter/Greet',
          (text: string) => Buffer.from(JSON.stringify({ text })),
          String,
          'x',
          () => {
            seen.push(user.getStore());
            if (seen.length === 3) resolve();
          },
        );
      });
    for (const name of ['ann', 'bob', 'cid']) ask(name);
    await promise;
    expect(seen.sort()).toEqual(['ann', 'bob', 'cid']);
  });

  it('carry call credentials of the app', async () => {
    const port = await serve({ greet: (call, callback) => callback(null, { text: String(call.metadata.get('authorization')) }) });
    const double = meshTo([port]);
    const callCredentials = grpc.credentials.createFromMetadataGenerator((_context, done) => {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', 'Bearer app');
      done(null, metadata);
    });
    const credentials = grpc.credentials.combineChannelCredentials(meshCredentials(), callCredentials);
    const client = new Greeter(meshTarget('greeter', 50051), credentials, createGrpcChannelOptions(double));
    cleanups.push(() => client.close());
    expect(await client.greet('hello')).toEqual({ text: 'Bearer app' });
  });

  it('send a mirrored call to the shadow as well, whose answer nobody waits for', async () => {
    const shadowed: string[] = [];
    const shadow = await serve({
      greet: (call, callback) => {
        shadowed.push(`${call.getHost()} ${call.request.text}`);
        callback({ code: grpc.status.INTERNAL });
      },
    });
    const live = await serve({ greet: (_call, callback) => callback(null, { text: 'live' }) });
    const mirrors = [{ cluster: 'shadow', applies: () => true, appendShadowSuffix: true }];
    const double = new MeshDouble({
      clusters: [clusterSpec('live', [endpointSpec(live)]), clusterSpec('shadow', [endpointSpec(shadow)])],
      routes: [routeOf(forwardTo('live', { mirrors }))],
    });
    expect(await clientOf(double).greet('hello')).toEqual({ text: 'live' });
    await expect.poll(() => shadowed).toEqual(['greeter-shadow:50051 hello']);
    await expect.poll(() => double.cluster('shadow').outcomes.length).toBe(1);
    expect(double.finished).toHaveLength(1);
  });

  it.each([
    ['and no longer than the route makes of it', { governs: 'route', maxMs: 0, offsetMs: 50 } as const, 'reset'],
    ['until the shadow ends it, where the route does not look at it', undefined, 'complete'],
  ])("wait for a shadow that is told the app's deadline %s", async (_name, grpcTimeout, ended) => {
    const told: number[] = [];
    const shadow = await serve({ greet: (call) => void told.push(Number(call.getDeadline()) - Date.now()) }); // It never answers.
    const live = await serve({ greet: (_call, callback) => setTimeout(callback, 100, null, { text: 'live' }) });
    const mirrors = [{ cluster: 'shadow', applies: () => true, appendShadowSuffix: true }];
    const double = new MeshDouble({
      clusters: [clusterSpec('live', [endpointSpec(live)]), clusterSpec('shadow', [endpointSpec(shadow)])],
      routes: [routeOf(forwardTo('live', { mirrors, grpcTimeout }))],
    });
    await failure(clientOf(double).greet('late', new grpc.Metadata(), { deadline: Date.now() + 80 }));
    await expect.poll(() => double.cluster('shadow').outcomes.map(({ kind }) => kind)).toEqual([ended]);
    expect(await clientOf(double).greet('hello', new grpc.Metadata(), { deadline: Date.now() + 60_000 })).toEqual({ text: 'live' });
    await expect.poll(() => told).toHaveLength(2);
    expect(told.at(-1)).toBeGreaterThan(50_000);
    expect(told.at(-1)).toBeLessThanOrEqual(60_000);
  });

  it('are refused while the mesh has no configuration, and awaited by waitForReady', async () => {
    const port = await serve({ greet: (_call, callback) => callback(null, { text: 'hi' }) });
    const double = new MeshDouble({ clusters: [clusterSpec('greeter', [endpointSpec(port)])], configured: false });
    const client = new Greeter('greeter:50051', grpc.credentials.createInsecure(), createGrpcChannelOptions(double));
    cleanups.push(() => client.close());
    expect((await failure(client.greet('hello'))).details).toContain('RIPSTOP_NOT_READY');
    const opened = new Promise<Error | undefined>((resolve) => client.waitForReady(Date.now() + 5_000, resolve));
    setImmediate(() => double.push({ routes: [routeOf(forwardTo('greeter'))] }));
    expect(await opened).toBeUndefined();
    expect(await client.greet('hello')).toEqual({ text: 'hi' });
  });
});
