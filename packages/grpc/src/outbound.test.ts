import grpc from '@grpc/grpc-js';
import { compileWeightedClusters, createFault, DEFAULT_THRESHOLDS, type Exchange, formatResponseFlags } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createGrpcChannelOptions } from './channel-options.ts';
import { meshCredentials } from './mesh-credentials.ts';
import { meshTarget } from './mesh-target.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { failure, Greeter, type GreeterHandlers, type Hello, startGreeter } from './testing/greeter.ts';
import { clusterSpec, type DoubleInit, endpointSpec, forwardTo, MeshDouble, realClock, retryOn, routeOf } from './testing/mesh-double.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const run of cleanups.splice(0).reverse()) run();
});

async function serve(handlers: GreeterHandlers): Promise<number> {
  const server = await startGreeter(handlers);
  cleanups.push(server.close);
  return server.port;
}

/** A server that says its own name. */
function named(name: string): Promise<number> {
  return serve({ greet: (_call, callback) => callback(null, { text: name }) });
}

function failing(code: grpc.status): Promise<number> {
  return serve({ greet: (_call, callback) => callback({ code, details: 'as told' }) });
}

function mesh(init: DoubleInit): { double: MeshDouble; client: Greeter } {
  const double = new MeshDouble(init);
  const client = new Greeter(meshTarget('greeter', 50051), meshCredentials(), createGrpcChannelOptions(double));
  cleanups.push(() => client.close());
  return { double, client };
}

/** One cluster `greeter`, one route to it. */
function simple(port: number, action: Parameters<typeof forwardTo>[1] = {}): { double: MeshDouble; client: Greeter } {
  return mesh({ clusters: [clusterSpec('greeter', [endpointSpec(port)])], routes: [routeOf(forwardTo('greeter', action))] });
}

function headers(pairs: Record<string, string>): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(pairs)) metadata.set(name, value);
  return metadata;
}

/** Everything that a call takes was given back. */
function expectIdle(double: MeshDouble, name = 'greeter'): void {
  const cluster = double.cluster(name) as ReturnType<MeshDouble['cluster']>;
  expect(cluster.outcomes).toHaveLength(cluster.leased);
  expect(cluster.endpoints.map((endpoint) => endpoint.activeRequests)).toEqual(cluster.endpoints.map(() => 0));
  expect([cluster.resources.requests.used, cluster.resources.pending.used, cluster.resources.retries.used]).toEqual([0, 0, 0]);
}

describe('routing of gRPC calls', () => {
  it('splits calls by weight', async () => {
    const [v1, v2] = [await named('v1'), await named('v2')];
    // Every tenth draw falls into the last tenth.
    let draw = 0;
    const random = (): number => (draw++ % 10) / 10 + 0.05;
    const choose = compileWeightedClusters(
      [
        { cluster: 'v1', weight: 90 },
        { cluster: 'v2', weight: 10 },
      ],
      random,
    );
    const { client } = mesh({
      clusters: [clusterSpec('v1', [endpointSpec(v1)]), clusterSpec('v2', [endpointSpec(v2)])],
      routes: [routeOf(forwardTo(choose))],
    });
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.greet('hello')));
    expect(answers.filter(({ text }) => text === 'v1')).toHaveLength(90);
    expect(answers.filter(({ text }) => text === 'v2')).toHaveLength(10);
  });

  it('sends a call by its metadata and path, and answers 404 as UNIMPLEMENTED', async () => {
    const [v1, v2] = [await named('v1'), await named('v2')];
    const { double, client } = mesh({
      clusters: [clusterSpec('v1', [endpointSpec(v1)]), clusterSpec('v2', [endpointSpec(v2)])],
      routes: [
        routeOf(forwardTo('v2'), { matches: (x) => x.request.header('end-user') === 'jason' }),
        routeOf(forwardTo('v1'), { matches: (x) => x.matchPath === '/test.Greeter/Greet' && x.request.header('end-user') === undefined }),
      ],
    });
    expect(await client.greet('hello', headers({ 'end-user': 'jason' }))).toEqual({ text: 'v2' });
    expect(await client.greet('hello')).toEqual({ text: 'v1' });
    const refused = await failure(client.greet('hello', headers({ 'end-user': 'nobody' })));
    expect([refused.code, refused.details]).toEqual([grpc.status.UNIMPLEMENTED, '']);
    expect(formatResponseFlags(double.finished.at(-1)!.x.flags)).toBe('NR');
  });

  it('takes up a new snapshot with the next call, over the same connection', async () => {
    let sessions = new Set<string>();
    const port = await serve({
      greet: (call, callback) => {
        sessions = sessions.add(call.getPeer());
        callback(null, { text: String(call.metadata.get('x-route')[0] ?? 'none') });
      },
    });
    const { double, client } = simple(port);
    expect(await client.greet('hello')).toEqual({ text: 'none' });
    const mutate = {
      onRequest: (_x: Exchange, head: { setHeader(name: string, value: string): void }) => head.setHeader('x-route', 'second'),
      onResponse() {},
    };
    double.push({ routes: [routeOf(forwardTo('greeter'), { headers: mutate })] });
    expect(await client.greet('hello')).toEqual({ text: 'second' });
    expect(sessions.size).toBe(1);
  });

  it('names the target that it cannot use, and the options that are missing', async () => {
    const options = createGrpcChannelOptions(new MeshDouble({}));
    expect(() => new Greeter('mesh:///greeter', meshCredentials(), options)).toThrow('gRPC target "mesh:///greeter" has no host and port');
    const bare = new Greeter('ipv4:127.0.0.1:1', meshCredentials());
    cleanups.push(() => bare.close());
    expect((await failure(bare.greet('hello'))).details).toContain("not the mesh's channel options");
  });
});

describe('faults and refusals', () => {
  it('injects aborts with the mapped status, after no attempt', async () => {
    const env = {
      clock: realClock,
      random: () => 0,
      direction: 'outbound' as const,
      state: <T>(_key: string, create: () => T) => create(),
    };
    const fault = createFault(
      {
        delay: { share: { numerator: 100, denominator: 100 }, fixedMs: 20 },
        abort: { share: { numerator: 100, denominator: 100 }, status: { http: 503, grpc: undefined } },
        headers: [],
        maxActiveFaults: undefined,
      },
      env,
    )!;
    const { double, client } = mesh({
      clusters: [clusterSpec('greeter', [endpointSpec(1)])],
      routes: [routeOf(forwardTo('greeter'), { filters: [fault] })],
    });
    const startedAt = performance.now();
    const error = await failure(client.greet('hello'));
    expect([error.code, error.details]).toEqual([grpc.status.UNAVAILABLE, 'fault filter abort']);
    expect(performance.now() - startedAt).toBeGreaterThan(18);
    expect(double.cluster('greeter').leased).toBe(0);
    const { x, outcome } = double.finished[0]!;
    expect([formatResponseFlags(x.flags), x.details, outcome.status, outcome.grpcStatus]).toEqual(['DI,FI', 'fault_filter_abort', 200, 14]);
  });

  it('says no healthy upstream, and overflow when the circuit breaker is open', async () => {
    const empty = mesh({ clusters: [clusterSpec('greeter', [])], routes: [routeOf(forwardTo('greeter'))] });
    const none = await failure(empty.client.greet('hello'));
    expect([none.code, none.details]).toEqual([grpc.status.UNAVAILABLE, 'no healthy upstream']);

    let release: (() => void)[] = [];
    const port = await serve({ greet: (_call, callback) => void release.push(() => callback(null, { text: 'late' })) });
    const thresholds = { maxConnections: 10, maxPendingRequests: 10, maxRequests: 2, maxRetries: 3 };
    const { double, client } = mesh({
      clusters: [clusterSpec('greeter', [endpointSpec(port)], { thresholds })],
      routes: [routeOf(forwardTo('greeter'))],
    });
    const running = [client.greet('1'), client.greet('2')];
    const refused = await failure(client.greet('3'));
    expect([refused.code, refused.metadata.get('x-envoy-overloaded')]).toEqual([grpc.status.UNAVAILABLE, ['true']]);
    expect(formatResponseFlags(double.finished[0]!.x.flags)).toBe('UO');
    await expect.poll(() => release.length).toBe(2);
    for (const run of release.splice(0)) run();
    expect(await Promise.all(running)).toEqual([{ text: 'late' }, { text: 'late' }]);
    release = [];
    const again = client.greet('4');
    await expect.poll(() => release.length).toBe(1);
    release[0]!();
    expect(await again).toEqual({ text: 'late' });
    expectIdle(double);
  });
});

describe('load reports', () => {
  it('of trailers weigh endpoints', async () => {
    const reporting = (name: string, utilization: number): Promise<number> =>
      serve({
        greet: (_call, callback) => {
          const trailers = new grpc.Metadata();
          trailers.set('endpoint-load-metrics', `TEXT rps_fractional=100,application_utilization=${utilization}`);
          callback(null, { text: name }, trailers);
        },
      });
    const balancer = { kind: 'load_weighted', blackoutMs: 0, expirationMs: 60_000, updateMs: 100, errorPenalty: 1, metrics: [] } as const;
    const endpoints = [endpointSpec(await reporting('idle', 0.05)), endpointSpec(await reporting('busy', 0.95))];
    const { double, client } = mesh({
      clusters: [clusterSpec('greeter', endpoints, { balancer })],
      routes: [routeOf(forwardTo('greeter'))],
    });
    const idleOfTwenty = async (): Promise<number> => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => client.greet('hello')));
      return answers.filter(({ text }) => text === 'idle').length;
    };
    expect(await idleOfTwenty()).toBe(10);
    await expect.poll(idleOfTwenty, { timeout: 5000 }).toBe(19);
    expectIdle(double);
  });
});

describe('retries', () => {
  it('masks a flaky endpoint: trailers-only UNAVAILABLE is tried elsewhere', async () => {
    const [bad, good] = [await failing(grpc.status.UNAVAILABLE), await named('good')];
    const { double, client } = mesh({
      clusters: [
        clusterSpec('greeter', [endpointSpec(bad), endpointSpec(good)], { thresholds: { ...DEFAULT_THRESHOLDS, maxRetries: 100 } }),
      ],
      routes: [routeOf(forwardTo('greeter', { retry: retryOn('unavailable') }))],
    });
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.greet('hello')));
    expect(answers.every(({ text }) => text === 'good')).toBe(true);
    const { outcomes } = double.cluster('greeter');
    expect(outcomes.filter((outcome) => outcome.kind === 'response' && outcome.grpcStatus === 14)).toHaveLength(outcomes.length - 10);
    expect(outcomes.length).toBeGreaterThan(10);
    expectIdle(double);
  });

  it('gives the last answer to the app when retries are exhausted, and does not retry what the policy does not name', async () => {
    const unavailable = simple(await failing(grpc.status.UNAVAILABLE), { retry: retryOn('unavailable') });
    const exhausted = await failure(unavailable.client.greet('hello'));
    expect([exhausted.code, exhausted.details, unavailable.double.cluster('greeter').leased]).toEqual([14, 'as told', 3]);
    expect(formatResponseFlags(unavailable.double.finished[0]!.x.flags)).toBe('URX');

    const internal = simple(await failing(grpc.status.INTERNAL), { retry: retryOn('unavailable') });
    expect((await failure(internal.client.greet('hello'))).code).toBe(grpc.status.INTERNAL);
    expect(internal.double.cluster('greeter').leased).toBe(1);
  });

  it('hedges a slow try where the route says so: whichever answers first', async () => {
    let answer: (() => void) | undefined;
    const slow = await serve({
      greet: (_call, callback) => {
        answer = () => callback(null, { text: 'slow' });
      },
    });
    const hedged = { hedgeOnPerTryTimeout: true, timeoutMs: 5000, retry: retryOn('internal', { perTryTimeoutMs: 30 }) };
    const { double, client } = mesh({
      clusters: [clusterSpec('greeter', [endpointSpec(slow), endpointSpec(await named('quick'))], { balancer: { kind: 'round_robin' } })],
      routes: [routeOf(forwardTo('greeter', hedged))],
    });
    const answers = [await client.greet('1'), await client.greet('2')];
    expect(answers).toEqual([{ text: 'quick' }, { text: 'quick' }]);
    expect(double.cluster('greeter').outcomes).toContainEqual({ kind: 'cancelled' });
    expectIdle(double);

    const alone = mesh({
      clusters: [clusterSpec('greeter', [endpointSpec(slow)])],
      routes: [routeOf(forwardTo('greeter', { ...hedged, retry: retryOn('internal', { perTryTimeoutMs: 30, numRetries: 0 }) }))],
    });
    answer = undefined;
    const late = alone.client.greet('3');
    await expect.poll(() => answer).toBeDefined();
    await new Promise((resolve) => setTimeout(resolve, 60));
    answer!();
    expect(await late).toEqual({ text: 'slow' });
    expectIdle(alone.double);
  });

  it('dials another endpoint when one refuses the connection', async () => {
    const closed = await startGreeter({});
    closed.close();
    const { double, client } = mesh({
      clusters: [clusterSpec('greeter', [endpointSpec(closed.port), endpointSpec(await named('good'))])],
      routes: [routeOf(forwardTo('greeter', { retry: retryOn('connect-failure') }))],
    });
    expect(await client.greet('one')).toEqual({ text: 'good' });
    expect(await client.greet('two')).toEqual({ text: 'good' });
    expect(double.cluster('greeter').outcomes).toContainEqual({ kind: 'reset', reason: 'connect-failure' });
    expectIdle(double);

    const alone = simple(closed.port);
    const error = await failure(alone.client.greet('hello'));
    expect(error.details).toBe('upstream connect error or disconnect/reset before headers. reset reason: remote connection failure');
    const { x } = alone.double.finished[0]!;
    expect([formatResponseFlags(x.flags), x.transportFailure]).toEqual(['UF', 'delayed_connect_error:_Connection_refused']);
  });

  it('sends a stream of messages again from the start, and no more once it outgrew the buffer', async () => {
    const seen: string[][] = [];
    const port = await serve({
      collect: (call, callback) => {
        const texts: string[] = [];
        seen.push(texts);
        call.on('data', ({ text }: Hello) => texts.push(text));
        call.on('end', () => (seen.length === 1 ? callback({ code: grpc.status.UNAVAILABLE }) : callback(null, { text: texts.join() })));
      },
    });
    const send = (client: Greeter): Promise<Hello> =>
      new Promise((resolve, reject) => {
        const call = client.collect((error, answer) => (error === null ? resolve(answer!) : reject(error)));
        for (const text of ['a', 'b', 'c']) call.write({ text });
        call.end();
      });
    const { double, client } = simple(port, { retry: retryOn('unavailable') });
    expect(await send(client)).toEqual({ text: 'a,b,c' });
    expect(seen).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expectIdle(double);

    seen.length = 0;
    const narrow = simple(port, { retry: retryOn('unavailable'), bufferLimitBytes: 20 });
    expect((await failure(send(narrow.client))).code).toBe(grpc.status.UNAVAILABLE);
    expect(seen).toHaveLength(1);
  });
});

describe('cookies of a call', () => {
  it.each([
    [['a=1', 'b=2'], ['a=1; b=2']],
    [['', 'a=1'], ['a=1']],
    [['a=1'], ['a=1']],
    [[''], []],
  ])('%j are %j for routes and upstreams, as behind the codec of an Envoy', async (crumbs, expected) => {
    let seen: readonly unknown[] = [];
    const port = await serve({
      greet: (call, callback) => {
        seen = call.metadata.get('cookie');
        callback(null, { text: '' });
      },
    });
    const { double, client } = simple(port);
    const metadata = new grpc.Metadata();
    for (const crumb of crumbs) metadata.add('cookie', crumb);
    await client.greet('', metadata);
    expect(seen).toEqual(expected);
    expect(double.finished[0]!.x.request.headerLines('cookie')).toEqual(expected);
    expect(metadata.get('cookie')).toEqual(crumbs);
  });
});

describe('time', () => {
  it.each([
    ['', undefined],
    [', also where the route takes it for its timeout', { governs: 'route', maxMs: 0, offsetMs: 0 } as const],
  ])("passes the app's deadline on and ends the call when it is over%s", async (_where, grpcTimeout) => {
    let left = 0;
    const reached = Promise.withResolvers<void>();
    const port = await serve({
      greet: (call, callback) => {
        left = Number(call.getDeadline()) - Date.now();
        if (call.request.text === 'answer') callback(null, { text: 'in time' });
        else reached.resolve();
      },
    });
    // The server ends its calls by the machine's clock, and would often be the first.
    const clock = new FakeClock();
    const { double, client } = mesh({
      clock,
      clusters: [clusterSpec('greeter', [endpointSpec(port)])],
      routes: [routeOf(forwardTo('greeter', { grpcTimeout }))],
    });
    expect(await client.greet('answer', new grpc.Metadata(), { deadline: Date.now() + 5_000 })).toEqual({ text: 'in time' });
    expect(left).toBeGreaterThan(3_000);
    expect(left).toBeLessThanOrEqual(5_000);
    const ended = failure(client.greet('never', new grpc.Metadata(), { deadline: Date.now() + 60_000 }));
    await reached.promise;
    clock.advance(60_000);
    expect((await ended).code).toBe(grpc.status.DEADLINE_EXCEEDED);
    expect(formatResponseFlags(double.finished[1]!.x.flags)).toBe('DC');
    expectIdle(double);
  });

  it.each([
    ['what the app gives it', undefined, 5_000, '-'],
    ['it, and no more than the route gives', { governs: 'route', maxMs: 2_000, offsetMs: 0 }, 2_000, '2000'],
    ['it, where the route takes any', { governs: 'route', maxMs: 0, offsetMs: 0 }, 5_000, '5000'],
    ['it, less what the route keeps for itself', { governs: 'route', maxMs: 0, offsetMs: 500 }, 4_500, '4500'],
    ['it, and no more than max_stream_duration gives', { governs: 'stream', maxMs: 3_000, offsetMs: 0 }, 3_000, '-'],
  ] as const)("tells an upstream what a call has: %s, whatever the app's metadata say", async (_name, grpcTimeout, wholeMs, expected) => {
    let told: readonly [number, string] = [0, ''];
    const port = await serve({
      greet: (call, callback) => {
        const [header = '-'] = call.metadata.get('x-envoy-expected-rq-timeout-ms').map(String);
        told = [Number(call.getDeadline()) - Date.now(), header];
        callback(null, { text: '' });
      },
    });
    const { client } = simple(port, { grpcTimeout });
    await client.greet('', headers({ 'grpc-timeout': '7m' }), { deadline: Date.now() + 5_000 });
    const [leftMs, header] = told;
    expect(leftMs).toBeGreaterThan(wholeMs - 1_000);
    expect(leftMs).toBeLessThanOrEqual(wholeMs + 1);
    if (expected === '-') expect(header).toBe('-');
    else expect(Math.abs(Number(header) - Number(expected))).toBeLessThan(1_000);
  });

  it.each([
    ['the route timeout', { timeoutMs: 40 }, 14, 'upstream request timeout', 'UT', 'response_timeout'],
    ['max_stream_duration', { maxStreamDurationMs: 40 }, 4, 'downstream duration timeout', '-', 'max_duration_timeout'],
    ['the idle timeout', { idleTimeoutMs: 40 }, 14, 'stream timeout', 'SI', 'stream_idle_timeout'],
    [
      'the per-try timeout, after its retry',
      { retry: retryOn('reset', { perTryTimeoutMs: 40, numRetries: 1 }) },
      14,
      'upstream request timeout',
      'URX,UT',
      'upstream_per_try_timeout',
    ],
  ] as const)("ends a call by %s with Envoy's reply", async (_name, action, code, details, flags, why) => {
    const { double, client } = simple(await serve({ greet: () => {} }), action);
    const error = await failure(client.greet('hello'));
    expect([error.code, error.details]).toEqual([code, details]);
    const { x } = double.finished[0]!;
    expect([formatResponseFlags(x.flags), x.details]).toEqual([flags, why]);
    expectIdle(double);
  });
});

describe('streams', () => {
  const echo: GreeterHandlers = {
    list: (call) => {
      for (const text of ['one', 'two', 'three']) call.write({ text: `${call.request.text} ${text}` });
      call.end();
    },
    chat: (call) => {
      call.on('data', ({ text }: Hello) => call.write({ text: `echo ${text}` }));
      call.on('end', () => call.end());
    },
  };

  it('streams from the server and both ways, and gives each lease back once', async () => {
    const { double, client } = simple(await serve(echo), { retry: retryOn('unavailable') });
    const listed: string[] = [];
    for await (const { text } of client.list('item') as AsyncIterable<Hello>) listed.push(text);
    expect(listed).toEqual(['item one', 'item two', 'item three']);

    const chat = client.chat();
    const echoed: string[] = [];
    chat.on('data', ({ text }: Hello) => {
      echoed.push(text);
      if (echoed.length === 3) chat.end();
      else chat.write({ text: String(echoed.length) });
    });
    const status = new Promise<grpc.StatusObject>((resolve) => chat.on('status', resolve));
    chat.write({ text: '0' });
    expect((await status).code).toBe(grpc.status.OK);
    expect(echoed).toEqual(['echo 0', 'echo 1', 'echo 2']);
    expectIdle(double);
    expect(double.finished).toHaveLength(2);
    expect(double.finished[0]!.outcome).toMatchObject({ status: 200, grpcStatus: 0 });
    expect(double.finished[0]!.outcome.responseBytes).toBeGreaterThan(3 * 5);
  });

  it("ends the lease and the server's call when the client cancels", async () => {
    let cancelled = 0;
    const port = await serve({
      list: (call) => {
        call.on('cancelled', () => cancelled++);
        call.write({ text: 'first' });
      },
    });
    const { double, client } = simple(port);
    const call = client.list('hello');
    const error = new Promise<grpc.ServiceError>((resolve) => call.on('error', resolve as (error: Error) => void));
    call.once('data', () => call.cancel());
    expect((await error).code).toBe(grpc.status.CANCELLED);
    await expect.poll(() => cancelled).toBe(1);
    expect(double.cluster('greeter').outcomes).toEqual([{ kind: 'cancelled' }]);
    expect(formatResponseFlags(double.finished[0]!.x.flags)).toBe('DC');
    expect(double.finished).toHaveLength(1);
    expectIdle(double);
  });

  it('tells the app when the server breaks a stream off, and holds it against the endpoint', async () => {
    const server = await startGreeter({ list: (call) => void call.write({ text: 'first' }) });
    const { double, client } = simple(server.port, { retry: retryOn('reset') });
    const call = client.list('hello');
    const error = new Promise<grpc.ServiceError>((resolve) => call.on('error', resolve as (error: Error) => void));
    call.once('data', () => server.close());
    expect((await error).code).toBe(grpc.status.CANCELLED);
    expect(double.cluster('greeter').outcomes).toEqual([{ kind: 'reset', reason: 'remote-reset' }]);
    expect(formatResponseFlags(double.finished[0]!.x.flags)).toBe('UR');
    expectIdle(double);
  });
});
