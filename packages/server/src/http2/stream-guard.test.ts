import { EventEmitter } from 'node:events';
import { constants, type ServerHttp2Session } from 'node:http2';
import {
  type Exchange,
  type Filter,
  type HttpConnectionManager,
  localReply,
  NO_PEER,
  type Outcome,
  Pipeline,
  type ResetBudget,
  type Snapshot,
  SnapshotRef,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import type { ConnectionGate } from '../connection-gate.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import type { ListenerParts } from '../listener-parts.ts';
import { peerOf } from '../peer.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { chainsOf, type RouteSettings } from '../testing/server-double.ts';
import { type JudgedStream, StreamGuard } from './stream-guard.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** What a session and its listeners see of a stream, without a connection. */
class FakeStream extends EventEmitter {
  endAfterHeaders = true;
  destroyed = false;
  closed = false;
  headersSent = false;
  aborted = false;
  rstCode = 0;
  readonly readableLength = 0;
  sentHeaders: Readonly<Record<string, unknown>> | undefined;
  body = '';
  code: number | undefined;

  respond(headers: Readonly<Record<string, unknown>>): void {
    this.headersSent = true;
    this.sentHeaders = headers;
  }

  end(body: unknown): void {
    this.body = String(body);
  }

  close(code: number): void {
    this.closed = true;
    this.code = code;
  }

  push(): boolean {
    return true;
  }

  write(): boolean {
    return true;
  }

  resume(): void {}
}

/** A session that notes down what is done to it. */
class FakeSession extends EventEmitter {
  readonly done: (string | number)[] = [];

  close(): void {
    this.done.push('close');
  }

  destroy(_error: unknown, code: number): void {
    this.done.push('destroy', code);
  }
}

interface Init extends RouteSettings {
  readonly http1App?: boolean;
  readonly forwarder?: boolean;
  readonly secure?: boolean;
  readonly suspect?: boolean;
  readonly closing?: boolean;
  readonly underscores?: HttpConnectionManager['underscores'];
  readonly logs?: boolean;
  /** Default: true, both. */
  readonly configured?: boolean;
  readonly chained?: boolean;
}

function guarded(init: Init = {}) {
  const clock = new FakeClock();
  clock.advance(7);
  const snapshots = new SnapshotRef();
  const { http } = chainsOf('DISABLE', { ...init, manager: { underscores: init.underscores } })[0]!;
  const seen = { started: [] as Exchange[], ended: [] as Outcome[], log: [] as string[], passed: [] as JudgedStream[], retired: 0 };
  const pipeline = new Pipeline({ clock, random: () => 0.5, ownSpiffeId: () => '' });
  const parts: ListenerParts = {
    snapshots,
    pipeline,
    clock,
    workloadPort: 9080,
    telemetry: {
      onStart: (x) => seen.started.push(x),
      onEnd: (_x, outcome) => seen.ended.push(outcome),
      run: (_x, handler) => handler(),
      current: () => undefined,
    },
    ...(init.logs === false ? {} : { log: (line: string) => seen.log.push(line) }),
    ...(init.forwarder === true ? { forwarder: { request() {}, upgrade() {} } } : {}),
  };
  const suspects: unknown[] = [];
  const gate = { lastRequestAt: Number.NEGATIVE_INFINITY, suspects: { add: (peer: unknown) => suspects.push(peer) } };
  const connection = {
    peer: { ...NO_PEER, address: '10.0.0.1' },
    facts: { port: 9080, tls: false, sni: '', alpn: [] },
    secure: init.secure ?? false,
    suspect: init.suspect ?? false,
    closing: init.closing ?? false,
    active: 0,
    resets: undefined as ResetBudget | undefined,
    goAway: undefined as (() => void) | undefined,
    manager: () => (init.chained === false ? undefined : http),
    retire: () => seen.retired++,
    begin() {
      this.active++;
    },
    release() {
      this.active--;
    },
  };
  if (init.configured !== false) snapshots.swap({ version: '1', sequence: 1, clusters: new Map() } as unknown as Snapshot);
  const guard = new StreamGuard(parts, gate as unknown as ConnectionGate, init.http1App ?? false, (judged) => seen.passed.push(judged));
  const session = new FakeSession();
  const heard: unknown[][] = [];
  guard.enter(session as unknown as ServerHttp2Session, connection as unknown as InboundConnection);
  session.on('stream', (...args: unknown[]) => heard.push(args));
  /** A request of these fields, which take the place of `GET http://a/`'s. */
  const open = (fields: Readonly<Record<string, string>> = {}, stream = new FakeStream()): FakeStream => {
    const headers = { ':method': 'GET', ':scheme': 'http', ':authority': 'a', ':path': '/', ...fields };
    expect(session.emit('stream', stream, headers, 0, Object.entries(headers).flat())).toBe(true);
    return stream;
  };
  return { clock, connection, gate, suspects, session, heard, open, seen };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const asked = (answer: () => ReturnType<NonNullable<Filter['onRequest']>>): { filters: Filter[] } => ({
  filters: [{ name: 'asked', onRequest: answer }],
});

describe('a guarded session', () => {
  it('is known by its peer, goes away by GOAWAY, and tells its listeners of everything but streams', () => {
    const { session, connection } = guarded();
    expect(peerOf({ stream: { session } } as never)).toBe(connection.peer);
    const told: unknown[] = [];
    session.on('ping', (payload) => told.push(payload));
    expect([session.emit('ping', 'x'), session.emit('nobody')]).toEqual([true, false]);
    expect([told, session.done]).toEqual([['x'], []]);
    connection.goAway?.();
    expect(session.done).toEqual(['close']);
  });

  it('that drains already is told to go', () => {
    expect(guarded({ closing: true }).session.done).toEqual(['close']);
  });

  it.each([
    [false, 'destroyed', 100],
    [false, 'closed', 100],
    [true, 'destroyed', 20],
  ] as const)('ends when streams are gone before they are heard (suspect: %s, %s)', (suspect, how, most) => {
    const { session, connection, seen, heard, open, suspects } = guarded({ suspect });
    const gone = (): FakeStream => open({}, Object.assign(new FakeStream(), { [how]: true }));
    let opened = 0;
    while (session.done.length === 0 && opened < 1_000) {
      gone();
      opened++;
    }
    expect(opened).toBe(most);
    expect(session.done).toEqual(['destroy', NGHTTP2_ENHANCE_YOUR_CALM]);
    expect(suspects).toEqual([connection.peer]);
    expect([seen.started, seen.passed, heard]).toEqual([[], [], []]);
  });

  it('ends when its caller takes many streams back early', () => {
    const { open, session } = guarded();
    for (let at = 0; at < 1_000 && session.done.length === 0; at++) {
      const stream = open({}, Object.assign(new FakeStream(), { endAfterHeaders: false }));
      Object.assign(stream, { aborted: true, closed: true, rstCode: NGHTTP2_CANCEL }).emit('close');
    }
    expect(session.done).toEqual(['destroy', NGHTTP2_ENHANCE_YOUR_CALM]);
  });

  it('survives errors of its streams', () => {
    const { open } = guarded();
    expect(open().emit('error', new Error('any caller can provoke one'))).toBe(true);
  });
});

describe('a stream', () => {
  it('that passes is handed to the listeners, which hear of it once it is passed', () => {
    const { clock, seen, heard, gate, connection, open } = guarded();
    const stream = open({ 'content-length': '0' });
    expect(heard).toEqual([]);
    const [judged] = seen.passed;
    expect([judged!.served.stream, judged!.contentLength, judged!.connection]).toEqual([stream, '0', connection]);
    judged!.pass();
    expect(heard).toMatchObject([[stream, { ':path': '/' }, 0, expect.arrayContaining([':authority', 'a'])]]);
    const [x] = seen.started;
    expect(x).toMatchObject({ direction: 'inbound', protocol: 'http2', port: 9080, startedAt: clock.now(), encodesResponses: true });
    expect([x!.request.scheme, x!.body, gate.lastRequestAt]).toEqual(['http', undefined, clock.now()]);
  });

  it.each<[what: string, init: Init, fields: Record<string, string>, expected: object]>([
    ['of gRPC', {}, { 'content-type': 'application/grpc+proto' }, { protocol: 'grpc' }],
    ['of a gateway', { forwarder: true }, {}, { direction: 'outbound' }],
  ])('%s is known for what it is', (_what, init, fields, expected) => {
    const { seen, open } = guarded(init);
    open(fields);
    expect(seen.started).toMatchObject([expected]);
  });

  it('over TLS is of https where its scheme is another', () => {
    const schemes = [true, false].map((secure) => {
      const { seen, open } = guarded({ secure });
      open({ ':scheme': 'other' });
      return seen.started[0]!.request.scheme;
    });
    expect(schemes).toEqual(['https', 'http']);
  });

  it('with a body offers it to filters', () => {
    const { seen, open } = guarded();
    open({}, Object.assign(new FakeStream(), { endAfterHeaders: false }));
    expect(seen.started[0]!.body).toBe(seen.passed[0]!.served);
  });

  it.each([
    ['chain is gone', { chained: false }],
    ['configuration is not there', { configured: false }],
  ])('whose %s is refused, and its connection retired', (_what, init) => {
    const { seen, open } = guarded(init);
    expect([open().code, seen.retired, seen.started, seen.passed]).toEqual([NGHTTP2_REFUSED_STREAM, 1, [], []]);
  });

  it('that a filter answers is told of, and passed to nobody', () => {
    const { seen, open } = guarded(asked(() => localReply({ status: 403, details: 'rbac', body: 'no' })));
    const { sentHeaders, body } = open();
    expect([sentHeaders?.[':status'], body, seen.started.length, seen.passed]).toEqual([403, 'no', 1, []]);
  });

  it('that is malformed is reset, and told of', () => {
    const { seen, open } = guarded();
    const { code } = open({ ':path': 'x' });
    expect([code, seen.started.length, seen.passed]).toEqual([constants.NGHTTP2_PROTOCOL_ERROR, 1, []]);
  });

  it.each([
    ['REJECT_REQUEST', NGHTTP2_INTERNAL_ERROR, 0],
    ['DROP_HEADER', undefined, 1],
    [undefined, undefined, 1],
  ] as const)('with underscores in a name is settled as its connection manager says: %s', (underscores, code, passed) => {
    const { seen, open } = guarded({ underscores });
    expect([open({ a_b: '1' }).code, seen.passed.length]).toEqual([code, passed]);
  });

  it('of a method that an app of HTTP/1 cannot read is refused for such an app alone', () => {
    const statuses = [true, false].map((http1App) => guarded({ http1App }).open({ ':method': 'BREW' }).sentHeaders?.[':status']);
    expect(statuses).toEqual([400, undefined]);
  });

  const CONNECT = { ':method': 'CONNECT', ':authority': 'a:80' };

  it.each<[what: string, answer: () => ReturnType<NonNullable<Filter['onRequest']>>, status: number]>([
    ['', () => undefined, 404],
    [' that a filter lets pass in its time', async () => undefined, 404],
    [' that a filter answers', () => localReply({ status: 403, details: 'rbac' }), 403],
    [' that a filter answers in its time', async () => localReply({ status: 403, details: 'rbac' }), 403],
  ])('by CONNECT has no route%s', async (_what, answer, status) => {
    const { seen, open } = guarded(asked(answer));
    const stream = open(CONNECT);
    await settled();
    expect([stream.sentHeaders?.[':status'], seen.passed]).toEqual([status, []]);
  });
});

describe('a filter that takes its time', () => {
  it('lets the stream pass when it is done', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { seen, open } = guarded(asked(() => gate.promise));
    open();
    await settled();
    expect(seen.passed).toEqual([]);
    gate.resolve(undefined);
    await settled();
    expect(seen.passed).toHaveLength(1);
  });

  it.each(['destroyed', 'closed'] as const)('passes no stream that is %s meanwhile', async (how) => {
    const { seen, open } = guarded(asked(async () => undefined));
    Object.assign(open(), { [how]: true });
    await settled();
    expect(seen.passed).toEqual([]);
  });

  it('says nothing more where the stream is answered', async () => {
    const gate = Promise.withResolvers<ReturnType<typeof localReply> | undefined>();
    for (const late of [undefined, localReply({ status: 403, details: 'late' })]) {
      const { seen, open } = guarded({ filters: [{ name: 'slow', onRequest: () => gate.promise.then(() => late) }] });
      const stream = open({}, Object.assign(new FakeStream(), { endAfterHeaders: false }));
      // Of the body's idle time.
      (seen.started[0]!.body as unknown as JudgedStream['served']).reply(localReply({ status: 408, details: 'in_between' }));
      gate.resolve(undefined);
      await settled();
      expect([stream.sentHeaders?.[':status'], seen.passed]).toEqual([408, []]);
    }
  });
});

describe('a filter that fails', () => {
  it.each<[what: string, fail: () => ReturnType<NonNullable<Filter['onRequest']>>, told: string]>([
    ['at once', () => fail(new Error('broken')), 'inbound GET /: broken'],
    ['with something else than an error', () => fail('text'), 'inbound GET /: text'],
    ['in its time', async () => fail(new Error('late')), 'inbound GET /: late'],
  ])('%s closes the door', async (_what, failing, told) => {
    for (const logs of [true, false]) {
      const { seen, open } = guarded({ ...asked(failing), logs });
      const stream = open();
      await settled();
      expect([stream.sentHeaders?.[':status'], stream.body, seen.passed]).toEqual([500, 'a filter of the mesh failed', []]);
      expect(seen.started[0]!.details).toBe('ripstop_filter_failed');
      expect(seen.log).toEqual(logs ? [told] : []);
    }
  });
});

function fail(error: unknown): never {
  throw error;
}
