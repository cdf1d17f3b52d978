import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { CONNECTION_LIMITS, type ConnectionFacts, type FilterChain, type HttpConnectionManager, type Snapshot } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import type { HttpChain, ListenerChains } from './chain-choice.ts';
import { InboundConnection } from './inbound-connection.ts';
import { createPeer } from './peer.ts';
import { FakeClock } from './testing/fake-clock.ts';

const FACTS: ConnectionFacts = { port: 80, tls: false, sni: '', alpn: ['http/1.1'] };
const MATCH = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] } as const;

/** Tells what was done to it. */
class FakeSocket extends EventEmitter {
  readonly done: string[] = [];
  writable = true;
  encrypted: boolean | undefined = undefined;
  bytesRead = 0;
  destroySoon(): void {
    this.done.push('destroySoon');
  }
  pause(): void {
    this.done.push('pause');
  }
  resume(): void {
    this.done.push('resume');
  }
}

function chain(http: object | undefined, tls?: Partial<NonNullable<FilterChain['tls']>>): HttpChain {
  return { name: 'c', match: MATCH, tls, http: http as HttpConnectionManager, tcp: http === undefined ? {} : undefined } as HttpChain;
}

function open({
  facts = {},
  first = chain({}),
  encrypted,
}: {
  facts?: Partial<ConnectionFacts>;
  first?: HttpChain;
  encrypted?: boolean;
} = {}) {
  const socket = Object.assign(new FakeSocket(), { encrypted });
  const bySnapshot = new Map<Snapshot, ListenerChains>();
  const peer = createPeer(socket as unknown as Socket, undefined, '', '');
  const snapshot = {} as Snapshot;
  const all = { ...FACTS, ...facts };
  const found: Snapshot[] = [];
  const connection = new InboundConnection(socket as unknown as Socket, all, peer, first, snapshot, (one) => {
    found.push(one);
    return bySnapshot.get(one);
  });
  const pushed = (...chains: FilterChain[]): Snapshot => {
    const next = {} as Snapshot;
    bySnapshot.set(next, { chains, defaultChain: undefined });
    return next;
  };
  return { connection, socket, snapshot, pushed, found };
}

describe('a connection of requests', () => {
  it('is secure by the mesh’s TLS or by the app’s own', () => {
    const secure = (facts: Partial<ConnectionFacts>, encrypted?: boolean): boolean[] => {
      const { connection } = open({ facts, ...(encrypted === undefined ? {} : { encrypted }) });
      return [connection.secure, connection.terminated];
    };
    expect([secure({}), secure({ tls: true }), secure({}, true), secure({}, false)]).toEqual([
      [false, false],
      [true, true],
      [true, false],
      [false, false],
    ]);
  });

  it('is of the mesh when the roots of the mesh judge its caller, also when its chain is gone', () => {
    const of = (tls?: Partial<NonNullable<FilterChain['tls']>>): boolean => open({ first: chain({}, tls) }).connection.ofMesh;
    expect([of(), of({ validationName: 'ROOTCA' }), of({ validationName: 'file-root:a' })]).toEqual([false, true, false]);
    const { connection } = open({ first: chain({}, { validationName: 'ROOTCA' }) });
    expect([connection.isWelcome({} as Snapshot), connection.ofMesh]).toEqual([false, true]);
  });

  it('is judged by the chain that it would have now, or not at all any more', () => {
    const before = chain({ name: 'before' });
    const { connection, snapshot, pushed } = open({ first: before });
    expect([connection.manager(snapshot), connection.currentManager]).toEqual([before.http, before.http]);
    const next = chain({ name: 'next' });
    const taken = pushed(next);
    expect([connection.isWelcome(taken), connection.manager(taken)]).toEqual([true, next.http]);
    expect(connection.currentManager).toBe(next.http);
    for (const refused of [pushed(), {} as Snapshot, pushed(chain({}, { validationName: 'ROOTCA' })), pushed(chain(undefined))]) {
      expect(connection.manager(taken)).toBe(next.http);
      expect([connection.isWelcome(refused), connection.manager(refused), connection.currentManager]).toEqual([
        false,
        undefined,
        undefined,
      ]);
    }
    // The configuration has come back, and its caller need not.
    expect(connection.manager(taken)).toBe(next.http);
  });

  it('looks for its chain once for each configuration', () => {
    const { connection, snapshot, pushed, found } = open();
    const next = pushed(chain({}));
    for (const one of [snapshot, next, next]) connection.manager(one);
    expect([found.length, found[0] === next]).toEqual([1, true]);
  });

  it('that drains says so with its next response; over HTTP/2 its caller is told at once', () => {
    const one = open();
    one.connection.drain();
    expect([one.connection.closing, one.socket.done]).toEqual([true, []]);
    const two = open();
    two.connection.goAway = () => two.socket.done.push('GOAWAY');
    two.connection.drain();
    expect([two.connection.closing, two.socket.done]).toEqual([true, ['GOAWAY']]);
  });

  it('that is retired ends when its last request is answered', () => {
    const idle = open();
    idle.connection.retire();
    expect([idle.connection.closing, idle.socket.done]).toEqual([true, ['destroySoon']]);
    const { connection, socket } = open();
    connection.active = 2;
    connection.retire();
    connection.release();
    expect([connection.closing, socket.done]).toEqual([true, []]);
    connection.release();
    expect(socket.done).toEqual(['destroySoon']);
    const session = open();
    session.connection.goAway = () => session.socket.done.push('GOAWAY');
    session.connection.active = 2;
    session.connection.retire();
    session.connection.release();
    expect(session.socket.done).toEqual(['GOAWAY']);
  });

  it('that nobody closes stays when it is idle', () => {
    const { connection, socket } = open();
    connection.active = 1;
    connection.release();
    expect([connection.active, socket.done]).toEqual([0, []]);
  });
});

describe('the limits of a connection', () => {
  const limited = (limits?: object) => {
    const clock = new FakeClock();
    const one = open({ first: chain({ connectionLimits: limits }) });
    one.connection.live(clock);
    return { ...one, clock };
  };
  const LIMITS = { idleTimeoutMs: 1_000, maxDurationMs: 0, maxRequests: 0, drainTimeoutMs: 100 };

  it('are those of its chain, else Envoy’s', () => {
    for (const [limits, idleMs] of [
      [LIMITS, LIMITS.idleTimeoutMs],
      [undefined, CONNECTION_LIMITS.idleTimeoutMs],
    ] as const) {
      const { clock, socket } = limited(limits);
      clock.advance(idleMs - 1);
      expect(socket.done).toEqual([]);
      clock.advance(1);
      expect(socket.done).toEqual(['destroySoon']);
    }
  });

  it('count its requests', () => {
    const { connection } = limited({ ...LIMITS, maxRequests: 2 });
    connection.begin();
    expect([connection.active, connection.closing]).toEqual([1, false]);
    connection.begin();
    expect([connection.active, connection.closing]).toEqual([2, true]);
  });

  it('count the time without a request from when the last one was answered', () => {
    const { connection, clock } = limited(LIMITS);
    connection.begin();
    connection.begin();
    clock.advance(600);
    connection.release();
    clock.advance(600); // One is still being answered.
    connection.release();
    clock.advance(999);
    expect(connection.closing).toBe(false);
    clock.advance(1);
    expect(connection.closing).toBe(true);
  });

  it('are kept with those who have said something: what is on its way is waited for', () => {
    const { connection, socket, clock } = limited(LIMITS);
    socket.bytesRead = 1;
    clock.advance(LIMITS.idleTimeoutMs);
    expect([connection.bytesRead, connection.closing, socket.done]).toEqual([1, true, []]);
    clock.advance(LIMITS.drainTimeoutMs);
    expect(socket.done).toEqual(['destroySoon']);
  });

  it('end with it', () => {
    const { socket, clock } = limited(LIMITS);
    socket.emit('close');
    expect(clock.pending).toBe(0);
  });

  it('need not be there', () => {
    const { connection } = open();
    connection.begin();
    connection.release();
    expect(connection.active).toBe(0);
  });
});

describe('pipelined requests', () => {
  const WHOLE = { complete: true };
  /** A connection with one request under way; each that is taken is one more, until it is released. */
  function busy() {
    const { connection, socket } = open();
    const taken: string[] = [];
    connection.active = 1;
    const defer = (name: string, request: Parameters<typeof connection.defer>[0] = WHOLE): void =>
      connection.defer(request, () => {
        taken.push(name);
        connection.active++;
      });
    return { connection, socket, taken, defer };
  }

  it('are taken one by one, in their order, when the one before was answered', () => {
    const { connection, taken, defer } = busy();
    defer('a');
    defer('b');
    expect(taken).toEqual([]);
    connection.release();
    expect(taken).toEqual(['a']);
    connection.release();
    connection.release();
    expect([taken, connection.active]).toEqual([['a', 'b'], 0]);
  });

  it('that need no answer of their own let the next one in at once', () => {
    const { connection, taken, defer } = busy();
    connection.defer(WHOLE, () => taken.push('answered at once'));
    defer('b');
    connection.release();
    expect(taken).toEqual(['answered at once', 'b']);
  });

  it('wait for the last that is under way', () => {
    const { connection, taken, defer } = busy();
    connection.active = 2;
    defer('a');
    connection.release();
    expect(taken).toEqual([]);
  });

  it('behind a response that closes the connection are none', () => {
    const { connection, socket, taken, defer } = busy();
    defer('a');
    socket.writable = false;
    connection.release();
    expect(taken).toEqual([]);
  });

  it('are a thousand at most: then nothing is read until there is room', () => {
    const { connection, socket, defer } = busy();
    for (let count = 1; count < 1000; count++) defer('x');
    expect(socket.done).toEqual([]);
    defer('the thousandth');
    expect(socket.done).toEqual(['pause']);
    connection.release();
    expect(socket.done).toEqual(['pause', 'resume']);
    connection.release();
    expect(socket.done).toEqual(['pause', 'resume']);
  });

  it('beyond a thousand, which came in one piece, are taken before there is room', () => {
    const { connection, socket, defer } = busy();
    for (let count = 1; count <= 1001; count++) defer('x');
    connection.release();
    expect(socket.done).toEqual(['pause']);
    connection.release();
    expect(socket.done).toEqual(['pause', 'resume']);
  });

  it.each([
    [2 ** 20 - 1, []],
    [2 ** 20, ['pause']],
  ])('with %d bytes of heads: nothing is read at a mebibyte', (bytes, done) => {
    const { socket, defer } = busy();
    defer('a', { complete: true, rawHeaders: ['x'.repeat(bytes)] });
    expect(socket.done).toEqual(done);
  });

  it('have a mebibyte of heads at most', () => {
    const { connection, socket, taken, defer } = busy();
    const large = { complete: true, rawHeaders: ['x', 'y'.repeat(2 ** 19 - 1)] };
    defer('a', large);
    defer('b');
    expect(socket.done).toEqual([]);
    defer('c', large);
    defer('d', large);
    expect(socket.done).toEqual(['pause']);
    connection.release();
    expect(socket.done).toEqual(['pause']); // c and d are a mebibyte still
    connection.release();
    connection.release();
    expect([taken, socket.done]).toEqual([
      ['a', 'b', 'c'],
      ['pause', 'resume'],
    ]);
  });

  it('of a connection that is retired are answered before it ends', () => {
    const { connection, socket, taken, defer } = busy();
    defer('a');
    connection.retire();
    connection.release();
    expect([taken, socket.done]).toEqual([['a'], []]);
    connection.release();
    expect(socket.done).toEqual(['destroySoon']);
  });
});

describe('the last thing on a connection', () => {
  it('comes at once when nothing is under way, and only once', () => {
    const { connection } = open();
    const ran: string[] = [];
    connection.endWith(() => ran.push('first'));
    connection.endWith(() => ran.push('second'));
    expect([ran, connection.ended]).toEqual([['first'], true]);
  });

  it('overtakes no response, and nothing comes behind it', () => {
    const { connection } = open();
    const ran: string[] = [];
    connection.active = 1;
    connection.defer({ complete: true }, () => {
      ran.push('whole');
      connection.active++;
    });
    connection.endWith(() => ran.push('last'));
    connection.defer({ complete: true }, () => ran.push('behind it'));
    connection.release();
    expect([ran, connection.ended]).toEqual([['whole'], false]);
    connection.release();
    expect([ran, connection.ended]).toEqual([['whole', 'last'], true]);
    connection.release();
    expect(ran).toEqual(['whole', 'last']);
  });

  it('that waits already is the only one', () => {
    const { connection } = open();
    const ran: string[] = [];
    connection.active = 1;
    connection.endWith(() => ran.push('first'));
    connection.endWith(() => ran.push('second'));
    connection.release();
    expect(ran).toEqual(['first']);
  });

  it('frees the room of the request in whose place it stands', () => {
    const { connection, socket } = open();
    connection.active = 1;
    connection.defer({ complete: true }, () => {});
    connection.defer({ complete: false, rawHeaders: ['x'.repeat(2 ** 20)] }, () => {});
    connection.endWith(() => {});
    expect(socket.done).toEqual(['pause']);
    connection.release();
    expect(socket.done).toEqual(['pause', 'resume']);
  });

  it('answers in the place of a request whose body will not come to an end', () => {
    const { connection } = open();
    const ran: string[] = [];
    connection.active = 1;
    connection.defer({ complete: false }, () => ran.push('half'));
    connection.endWith(() => ran.push('last'));
    connection.release();
    expect(ran).toEqual(['last']);
  });
});
