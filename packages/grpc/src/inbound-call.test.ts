import { Duplex } from 'node:stream';
import grpc from '@grpc/grpc-js';
import {
  type Exchange,
  type Filter,
  formatResponseFlags,
  type HttpConnectionManager,
  type LocalReply,
  localReply,
  NO_PEER,
  type ResponseHead,
  type Route,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../core/src/testing/fakes.ts';
import { InboundCall } from './inbound-call.ts';
import { InboundConnection } from './inbound-connection.ts';

import { forwardTo, inboundChain, MeshDouble, managerOf, routeOf } from './testing/mesh-double.ts';

const PORT = 50051;
const INBOUND = { kind: 'inbound', clusterName: 'inbound|50051||', timeoutMs: 0, maxStreamDurationMs: 0 } as const;
const NO_BODY = { requestBytes: 0, responseBytes: 0 };

interface Given {
  readonly filters?: readonly Filter[];
  readonly action?: Route['action'];
  readonly manager?: Partial<HttpConnectionManager>;
  readonly requestStream?: boolean;
  readonly tls?: boolean;
  readonly metadata?: Readonly<Record<string, string | readonly string[]>>;
  /** From now, milliseconds. */
  readonly deadlineMs?: number;
  readonly stream?: Duplex;
  readonly quiet?: boolean;
  readonly onStart?: (x: Exchange) => void;
}

/** A call of grpc-js, the handler behind it, and what each of them is told. */
function scene(given: Given = {}) {
  const clock = new FakeClock();
  const double = new MeshDouble({ clock, configured: false });
  const tls = given.tls === true ? { acceptsSans: () => true, requireClientCertificate: false } : undefined;
  const route = routeOf(given.action ?? INBOUND, { filters: given.filters ?? [] });
  const chain = inboundChain(PORT, [], { http: managerOf([route], given.manager), tls: tls as never });
  const sent: unknown[] = [];
  const heard: unknown[] = [];
  const started: Exchange[] = [];
  let events: Parameters<InboundCall['start']>[0] | undefined;
  const call = {
    stream: given.stream,
    start: (listener: typeof events) => {
      events = listener;
    },
    getDeadline: () => (given.deadlineMs === undefined ? Number.POSITIVE_INFINITY : new Date(clock.wallTime() + given.deadlineMs)),
    getHost: () => 'greeter:50051',
    startRead: () => {},
    sendMetadata: (metadata: grpc.Metadata) => sent.push(['metadata', metadata.getMap()]),
    sendMessage: (message: unknown, told: () => void) => {
      sent.push(['message', message]);
      told();
    },
    sendStatus: ({ code, details, metadata }: grpc.StatusObject) => sent.push(['status', code, details, metadata?.getMap()]),
  };
  Object.assign(double.telemetry, {
    onStart: (x: Exchange) => {
      started.push(x);
      given.onStart?.(x);
    },
  });
  const parts = given.quiet === true ? { ...double, log: undefined, telemetry: double.telemetry } : double;
  const facts = { port: PORT, tls: given.tls === true, sni: '', alpn: [] };
  const refused: InboundConnection[] = [];
  const connection = new InboundConnection(facts, { ...NO_PEER, address: '10.0.0.9' });
  const method = { path: '/test.Greeter/Greet', requestStream: given.requestStream === true };
  const ours = new InboundCall(parts, PORT, connection, method as never, call as never, (one) => refused.push(one));
  const inside = (): boolean => started[0] !== undefined && double.telemetry.current() === started[0];
  ours.start({
    onReceiveMetadata: (metadata) => heard.push(['metadata', metadata.getMap(), inside()]),
    onReceiveMessage: (message) => heard.push(['message', message, inside()]),
    onReceiveHalfClose: () => heard.push(['half close', inside()]),
    onCancel: () => heard.push(['cancel']),
  });
  const metadata = new grpc.Metadata();
  for (const [name, values] of Object.entries(given.metadata ?? {})) for (const value of [values].flat()) metadata.add(name, value);
  return {
    clock,
    double,
    call: ours,
    connection,
    sent,
    heard,
    started,
    refused,
    events: events!,
    /** The caller's headers come. */
    begin: () => {
      double.push({ inbound: [chain] });
      events!.onReceiveMetadata(metadata);
      return started[0]!;
    },
    unconfigured: () => events!.onReceiveMetadata(metadata),
    ended: () => double.finished.map(({ outcome }) => outcome),
  };
}

const deny = (reply: Partial<LocalReply> & { status: number }): Filter => ({
  name: 'deny',
  onRequest: () => localReply({ details: 'rbac_access_denied', body: 'RBAC: access denied', ...reply }),
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const text = (value: string): grpc.Metadata => {
  const metadata = new grpc.Metadata();
  metadata.set('x-text', value);
  return metadata;
};

describe('a call that is served', () => {
  it.each([false, true])('is an exchange that began before its filters (TLS: %s)', (tls) => {
    const order: string[] = [];
    const filters = [{ name: 'f', onRequest: () => void order.push('filter') }];
    const { begin, clock, heard, ended, call } = scene({ tls, filters, onStart: () => order.push('start'), metadata: { a: '1' } });
    clock.advance(5);
    const x = begin();
    expect(order).toEqual(['start', 'filter']);
    expect([x.direction, x.protocol, x.port, x.startedAt, x.peer.address]).toEqual(['inbound', 'grpc', PORT, 5, '10.0.0.9']);
    expect([x.request.scheme, x.request.authority, x.request.path, x.request.method]).toEqual([
      tls ? 'https' : 'http',
      'greeter:50051',
      '/test.Greeter/Greet',
      'POST',
    ]);
    expect(heard).toEqual([['metadata', expect.objectContaining({ a: '1' }), false]]);
    clock.advance(7);
    call.sendStatus({ code: 0, details: 'OK' });
    expect(ended()).toEqual([{ status: 200, grpcStatus: 0, ...NO_BODY, endedAt: 12 }]);
  });

  it('hears a stream within its exchange, a single message when that is complete', () => {
    const told = (requestStream: boolean): unknown[] => {
      const { begin, events, heard } = scene({ requestStream });
      begin();
      events.onReceiveMessage('m');
      events.onReceiveHalfClose();
      return heard.map((event) => (event as unknown[]).at(-1));
    };
    expect([told(true), told(false)]).toEqual([
      [true, true, true],
      [false, false, true],
    ]);
  });

  it('shows policies each line of a header, and the handler what it would see without the mesh', () => {
    const lines: unknown[] = [];
    const filters = [{ name: 'f', onRequest: (x: Exchange) => void lines.push(x.request.headerLines!('a')) }];
    const { begin, heard } = scene({ filters, metadata: { a: ['1', '2'], 'x-ripstop-lines': 'a' } });
    begin();
    expect(lines).toEqual([['1', '2']]);
    const [[, metadata]] = heard as [[string, object]];
    expect(metadata).toMatchObject({ a: '1, 2' });
    expect(metadata).not.toHaveProperty('x-ripstop-lines');
  });

  it('answers by its first headers, which filters see once, then messages and a status', () => {
    const seen: unknown[] = [];
    const note = (_x: Exchange, head: ResponseHead): void =>
      void seen.push([head.status, head.header('grpc-status'), head.header('x-text')]);
    const { begin, call, sent } = scene({ filters: [{ name: 'f', onResponse: note }] });
    begin();
    call.sendMetadata(text('a'));
    call.sendMessage('m', () => sent.push('written'));
    call.sendStatus({ code: 5, details: 'gone', metadata: text('b') });
    call.sendStatus({ code: 0, details: 'too late' });
    call.sendMetadata(text('c'));
    call.sendMessage('n', () => sent.push('never'));
    expect(sent).toEqual([['metadata', { 'x-text': 'a' }], ['message', 'm'], 'written', ['status', 5, 'gone', { 'x-text': 'b' }]]);
    expect(seen).toEqual([[200, undefined, 'a']]);
  });

  it('has headers before its first message, whoever sends them, and only once', () => {
    const { begin, call, sent } = scene();
    begin();
    call.sendMessage('m', () => {});
    call.sendMessage('n', () => {});
    expect(sent).toEqual([
      ['metadata', {}],
      ['message', 'm'],
      ['message', 'n'],
    ]);
  });

  it('that answers by a status alone shows it to filters, with metadata or without', () => {
    const seen: unknown[] = [];
    const note = (_x: Exchange, head: ResponseHead): void => void seen.push([head.status, head.header('grpc-status')]);
    const { begin, call, sent, ended } = scene({ filters: [{ name: 'f', onResponse: note }] });
    begin();
    call.sendStatus({ code: 5, details: 'gone' });
    expect([sent, seen]).toEqual([[['status', 5, 'gone', {}]], [[200, '5']]]);
    expect(ended()).toMatchObject([{ status: 200, grpcStatus: 5 }]);
  });
});

describe('a call that is refused', () => {
  it('over a connection that the configuration does not take reaches nobody, and the connection is told of', () => {
    const late = scene();
    late.double.push({ inbound: [] });
    for (const { unconfigured, sent, heard, started, refused, connection, call, double } of [scene(), late]) {
      unconfigured();
      call.sendStatus({ code: 0, details: 'too late' });
      const details = 'connection refused by the mesh: its policy for this port has changed';
      expect(sent).toEqual([['status', 14, details, undefined]]);
      expect([heard, started, double.finished, refused]).toEqual([[], [], [], [connection]]);
    }
  });

  it('by a filter is answered in the place of its handler', () => {
    const { begin, sent, heard, ended, call } = scene({ filters: [deny({ status: 403, flags: 0x1000 })] });
    const x = begin();
    call.sendStatus({ code: 0, details: 'too late' });
    expect(sent).toEqual([['status', 7, 'RBAC: access denied', {}]]);
    expect([x.details, formatResponseFlags(x.flags), heard]).toEqual(['rbac_access_denied', 'UAEX', []]);
    expect(ended()).toEqual([{ status: 200, grpcStatus: 7, ...NO_BODY, endedAt: 0 }]);
  });

  it('later, or let pass later, hears of it then', async () => {
    const verdicts: (LocalReply | undefined)[] = [localReply({ status: 403, details: 'late', body: 'no' }), undefined];
    for (const verdict of verdicts) {
      const { begin, sent, heard } = scene({ filters: [{ name: 'f', onRequest: () => Promise.resolve(verdict) }] });
      begin();
      expect([sent, heard]).toEqual([[], []]);
      await turn();
      expect([sent.length, heard.length]).toEqual(verdict === undefined ? [0, 1] : [1, 0]);
    }
  });

  it.each<[what: string, verdict: () => Promise<LocalReply | undefined>]>([
    ['let pass', () => turn().then(() => undefined)],
    ['refused', () => turn().then(() => localReply({ status: 403, details: 'late', body: 'no' }))],
    ['not judged, as a filter fails,', () => turn().then(() => Promise.reject(new Error('broken')))],
  ])('is not %s when its caller has gone', async (_what, verdict) => {
    const { begin, events, sent, heard, ended } = scene({ filters: [{ name: 'f', onRequest: verdict }] });
    begin();
    events.onCancel();
    await turn();
    await turn();
    expect([sent, heard, ended().length]).toEqual([[], [['cancel']], 1]);
  });

  it.each<[when: string, onRequest: NonNullable<Filter['onRequest']>]>([
    [
      'at once',
      () => {
        throw new Error('broken');
      },
    ],
    ['later', () => Promise.reject(new Error('broken'))],
  ])('by a filter that fails %s: nobody is served for want of a verdict, and the log says why', async (_when, onRequest) => {
    for (const quiet of [false, true]) {
      const { begin, sent, heard, double } = scene({ quiet, filters: [{ name: 'f', onRequest }] });
      const x = begin();
      await turn();
      expect([sent, heard]).toEqual([[['status', 2, 'a filter of the mesh failed', {}]], []]);
      expect([x.details, double.logged]).toEqual(['ripstop_filter_failed', quiet ? [] : ['inbound call /test.Greeter/Greet: broken']]);
    }
  });

  it('by a method that no gRPC has, which policies see as it is', () => {
    const methods: string[] = [];
    const filters = [{ name: 'f', onRequest: (x: Exchange) => void methods.push(x.request.method) }];
    const { begin, sent, heard } = scene({ filters, metadata: { 'x-ripstop-method': 'GET' } });
    const x = begin();
    expect([methods, sent, heard]).toEqual([['GET'], [['status', 12, 'gRPC calls are made by POST', {}]], []]);
    expect([x.details, x.request.header('x-ripstop-method')]).toEqual(['ripstop_grpc_method', undefined]);
  });

  it('before any filter when its head is none', () => {
    const filters = [{ name: 'f', onRequest: () => expect.unreachable() }];
    const { begin, sent, started } = scene({ filters, metadata: { authorization: ['a', 'b'] } });
    expect([begin().details, sent, started.length]).toEqual(['ripstop_repeated_authorization', [['status', 13, 'Bad Request', {}]], 1]);
  });

  it('by what no metadata can carry is answered INTERNAL, and the log says why', () => {
    for (const quiet of [false, true]) {
      const { begin, sent, double } = scene({ quiet, filters: [deny({ status: 403, headers: [['x-bad', 'a\nb']] })] });
      expect(begin().details).toBe('ripstop_filter_failed');
      expect(sent).toEqual([['status', 13, 'a filter of the mesh failed', {}]]);
      expect(double.logged).toEqual(
        quiet ? [] : [expect.stringMatching(/^inbound call \/test.Greeter\/Greet: its answer cannot be sent: /)],
      );
    }
  });

  it('when a filter of its answer fails is answered so, and what the app sends goes nowhere', () => {
    const broken: Filter = {
      name: 'f',
      onResponse: () => {
        throw new Error('broken');
      },
    };
    for (const send of [
      (call: InboundCall) => call.sendMessage('m', () => {}),
      (call: InboundCall) => call.sendMetadata(new grpc.Metadata()),
      (call: InboundCall) => call.sendStatus({ code: 0, details: 'OK' }),
    ]) {
      const { begin, call, sent, ended } = scene({ filters: [broken] });
      begin();
      send(call);
      expect(sent).toEqual([['status', 13, 'a filter of the mesh failed', {}]]);
      expect(ended()).toHaveLength(1);
    }
  });
});

describe('the time of a call', () => {
  const timed = (changes: object): Given => ({ action: { ...INBOUND, ...changes } });

  it('as a whole ends by its route, handler or not, and is counted no more when the call is over', () => {
    const { begin, clock, sent, ended } = scene(timed({ maxStreamDurationMs: 1_000 }));
    const x = begin();
    clock.advance(999);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect([sent, x.details]).toEqual([[['status', 4, 'downstream duration timeout', {}]], 'max_duration_timeout']);
    expect(ended()).toHaveLength(1);
    const over = scene(timed({ maxStreamDurationMs: 1_000 }));
    over.begin();
    over.call.sendStatus({ code: 0, details: 'OK' });
    expect(over.clock.pending).toBe(0);
    over.clock.advance(1_000);
    expect(over.ended()).toHaveLength(1);
  });

  it('for an answer begins with the end of its request', () => {
    const { begin, clock, events, sent } = scene(timed({ timeoutMs: 1_000 }));
    const x = begin();
    clock.advance(5_000);
    events.onReceiveHalfClose();
    clock.advance(999);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent).toEqual([['status', 14, 'upstream request timeout', {}]]);
    expect([formatResponseFlags(x.flags), x.details]).toEqual(['UT', 'response_timeout']);
  });

  it('is not begun by the end of a request that was answered before', () => {
    const { begin, clock, events, call } = scene(timed({ timeoutMs: 1_000 }));
    begin();
    call.sendStatus({ code: 0, details: 'OK' });
    events.onReceiveHalfClose();
    expect(clock.pending).toBe(0);
  });

  it('is unlimited where the route says none, or forwards', () => {
    for (const action of [INBOUND, forwardTo('elsewhere', { timeoutMs: 1_000, maxStreamDurationMs: 1_000 })]) {
      const { begin, clock, events } = scene({ action });
      begin();
      events.onReceiveHalfClose();
      expect(clock.pending).toBe(0);
    }
  });

  it('that ends behind the first headers is told by a status that no filter sees', () => {
    let responses = 0;
    const filters = [{ name: 'f', onResponse: () => void responses++ }];
    const { begin, clock, call, sent } = scene({ action: { ...INBOUND, maxStreamDurationMs: 1_000 }, filters });
    begin();
    call.sendMetadata(text('a'));
    clock.advance(1_000);
    expect([responses, sent.at(-1)]).toEqual([1, ['status', 4, 'downstream duration timeout', {}]]);
  });
});

describe('a caller that goes', () => {
  it('is told of in the outcome, and to the handler', () => {
    const { begin, events, heard, ended } = scene();
    const x = begin();
    events.onCancel();
    expect(heard.at(-1)).toEqual(['cancel']);
    expect([formatResponseFlags(x.flags), x.details]).toEqual(['DC', 'downstream_remote_disconnect']);
    expect(ended()).toEqual([{ status: 0, grpcStatus: 1, ...NO_BODY, endedAt: 0 }]);
  });

  it('has seen the status of HTTP when it has headers', () => {
    const { begin, events, call, ended } = scene();
    begin();
    call.sendMetadata(new grpc.Metadata());
    events.onCancel();
    expect(ended()).toMatchObject([{ status: 200, grpcStatus: 1 }]);
  });

  it('before its headers, or behind its status, is no exchange', () => {
    const early = scene();
    early.events.onCancel();
    expect([early.heard, early.ended()]).toEqual([[['cancel']], []]);
    const { begin, events, call, heard, ended } = scene();
    begin();
    call.sendStatus({ code: 0, details: 'OK' });
    events.onCancel();
    expect([heard.at(-1), ended().map(({ grpcStatus }) => grpcStatus)]).toEqual([['cancel'], [0]]);
  });

  it.each([
    [997, 1],
    [998, 4],
    [1_000, 4],
  ])('with a deadline of a second, %d ms after its start, ends with the status %d', (ms, grpcStatus) => {
    const { begin, clock, events, ended } = scene({ deadlineMs: 1_000 });
    begin();
    clock.advance(ms);
    events.onCancel();
    expect(ended()).toMatchObject([{ grpcStatus }]);
  });
});

describe('the bytes of a call', () => {
  const looking = (seen: unknown[]): Filter => ({
    name: 'look',
    onRequest: async (x) => {
      const start = await x.body!.read(10);
      seen.push(start && `${Buffer.from(start.bytes)}${start.complete ? '' : '…'}`);
      return undefined;
    },
  });

  it('cannot be shown where grpc-js has no stream', async () => {
    const seen: unknown[] = [];
    const { begin, heard } = scene({ filters: [looking(seen)] });
    begin();
    await turn();
    expect([seen, heard.length]).toEqual([[undefined], 1]);
  });

  it('are shown as they are on the wire; of a call that is over, none', async () => {
    const seen: unknown[] = [];
    const stream = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), { session: {} });
    const { begin, call, clock } = scene({ filters: [looking(seen)], stream });
    const x = begin();
    stream.push('abc');
    stream.push(null);
    await expect.poll(() => seen).toEqual(['abc']);
    call.sendStatus({ code: 0, details: 'OK' });
    expect([await x.body!.read(10), clock.pending]).toEqual([undefined, 0]);
  });

  it('are waited for as long as the connection manager says', async () => {
    const seen: unknown[] = [];
    const stream = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), { session: {} });
    const { begin, clock, sent } = scene({ filters: [looking(seen)], stream, manager: { streamIdleTimeoutMs: 500 } });
    const x = begin();
    clock.advance(500);
    await turn();
    expect([sent.length, x.details, formatResponseFlags(x.flags), seen]).toEqual([1, 'stream_idle_timeout', 'SI', [undefined]]);
  });
});
