import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import {
  CONNECTION_LIMITS,
  type ConnectionFacts,
  type ConnectionLimits,
  type FilterChain,
  NO_PEER,
  type Peer,
  type Snapshot,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { chooseHttpChain, InboundConnection } from './inbound-connection.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { inboundChain } from './testing/mesh-double.ts';

const PORT = 50051;
const PLAIN: ConnectionFacts = { port: PORT, tls: false, sni: '', alpn: ['h2c'] };
const TLS: ConnectionFacts = { port: PORT, tls: true, sni: '', alpn: ['istio'] };
const CALLER: Peer = { ...NO_PEER, mtls: true, uriSans: ['spiffe://cluster.local/ns/default/sa/caller'], dnsSans: ['caller'] };

/** As of mutual TLS; `accepted` names whom it lets in. */
function tlsOf(accepted: string, requireClientCertificate = true): NonNullable<FilterChain['tls']> {
  return {
    requireClientCertificate,
    alpn: ['h2'],
    minVersion: 'TLSv1.2',
    ciphers: [],
    acceptsSans: (uris: readonly string[], names: readonly string[]) => [...uris, ...names].some((name) => name.includes(accepted)),
    certificateName: 'default',
    validationName: 'ROOTCA',
  };
}

function snapshotOf(chain?: FilterChain): Snapshot {
  return {
    version: '',
    sequence: 0,
    inbound: chain === undefined ? [] : [chain],
    gateways: [],
    clusters: new Map(),
  } as unknown as Snapshot;
}

class FakeSocket extends EventEmitter {
  destroyed = false;
  soon = 0;

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  destroySoon(): void {
    this.soon++;
  }
}

describe('the chain of a gRPC connection', () => {
  const plain = inboundChain(PORT, []);
  const mutual = inboundChain(PORT, [], { name: 'm', tls: tlsOf('caller') });

  it.each<[what: string, chain: FilterChain, facts: ConnectionFacts]>([
    ['in plaintext', plain, PLAIN],
    ['by TLS', mutual, TLS],
  ])('%s is the one that matches', (_what, chain, facts) => {
    expect(chooseHttpChain(snapshotOf(chain), facts)).toBe(chain);
  });

  it.each<[why: string, snapshot: Snapshot | undefined, facts: ConnectionFacts]>([
    ['the mesh has no configuration yet', undefined, PLAIN],
    ['filter_chain_not_found', snapshotOf(), PLAIN],
    ['filter_chain_not_found', snapshotOf(plain), { ...PLAIN, port: 1 }],
    ['filter chain t is TCP, which a gRPC server cannot serve', snapshotOf({ ...plain, name: 't', http: undefined }), PLAIN],
    [`filter chain ${PORT} is plaintext`, snapshotOf(plain), TLS],
    ['filter chain m demands TLS', snapshotOf(mutual), PLAIN],
  ])('is refused: %s', (why, snapshot, facts) => {
    expect(chooseHttpChain(snapshot, facts)).toBe(why);
  });
});

describe('an accepted gRPC connection', () => {
  it('is nobody’s to suspect at first, and was verified by no roots', () => {
    const { distrusted, suspect, verifiedBy, active } = new InboundConnection(PLAIN, NO_PEER);
    expect([distrusted, suspect, verifiedBy, active]).toEqual([false, false, '', 0]);
    expect(new InboundConnection(TLS, CALLER, 'roots').verifiedBy).toBe('roots');
  });

  it('has the chain of the snapshot, found once for each', () => {
    const connection = new InboundConnection(PLAIN, NO_PEER);
    const [first, second] = [snapshotOf(inboundChain(PORT, [])), snapshotOf(inboundChain(PORT, []))];
    const chain = connection.chain(first);
    expect(chain).toBe(first.inbound[0]);
    Object.assign(first, { inbound: [] });
    expect(connection.chain(first)).toBe(chain);
    expect(connection.chain(second)).toBe(second.inbound[0]);
    expect(connection.chain(snapshotOf())).toBeUndefined();
  });

  it('has none once its caller’s root was taken out', () => {
    const connection = new InboundConnection(PLAIN, NO_PEER);
    connection.distrusted = true;
    expect(connection.chain(snapshotOf(inboundChain(PORT, [])))).toBeUndefined();
  });

  it.each<[what: string, peer: Peer, tls: FilterChain['tls'], fits: boolean]>([
    ['a caller by its URI', CALLER, tlsOf('sa/caller'), true],
    ['a caller by its DNS name', { ...CALLER, uriSans: [] }, tlsOf('caller'), true],
    ['a caller that the chain does not let in any more', CALLER, tlsOf('other'), false],
    ['who showed no certificate where none is demanded', NO_PEER, tlsOf('', false), true],
    ['who showed no certificate where one is demanded now', NO_PEER, tlsOf(''), false],
    ['a caller by name where no certificate is demanded', CALLER, tlsOf('other', false), false],
  ])('keeps %s, or not', (_what, peer, tls, fits) => {
    const snapshot = snapshotOf(inboundChain(PORT, [], { tls }));
    expect(new InboundConnection(TLS, peer).chain(snapshot) !== undefined).toBe(fits);
  });

  it.each([
    ['a', 'a', true],
    ['a', 'b', false],
    [undefined, 'a', false],
    ['a', undefined, false],
  ])('that was let in by the filters %s may stay with %s: %s', (by, now, stays) => {
    const connection = new InboundConnection(PLAIN, NO_PEER);
    connection.admittedBy = by;
    const admission = now === undefined ? undefined : { key: now, filters: [] };
    expect(connection.chain(snapshotOf(inboundChain(PORT, [], { admission }))) !== undefined).toBe(stays);
  });
});

describe('the life of a gRPC connection', () => {
  function living(limits: Partial<ConnectionLimits> | undefined = {}, snapshot?: Snapshot) {
    const chain = inboundChain(PORT, []);
    const connectionLimits = { ...CONNECTION_LIMITS, ...limits };
    const clock = new FakeClock();
    const socket = new FakeSocket();
    const connection = new InboundConnection(PLAIN, NO_PEER);
    connection.live(socket as unknown as Socket, snapshot ?? snapshotOf({ ...chain, http: { ...chain.http!, connectionLimits } }), clock);
    const told = { away: 0 };
    connection.goAway = () => told.away++;
    return { clock, socket, connection, told };
  }

  it('is limited by its chain', () => {
    const { clock, connection, told } = living({ idleTimeoutMs: 1_000 });
    clock.advance(600);
    connection.begin();
    clock.advance(600);
    expect([connection.active, told.away]).toEqual([1, 0]);
    connection.release();
    clock.advance(999);
    expect([connection.active, told.away]).toEqual([0, 0]);
    clock.advance(1);
    expect(told.away).toBe(1);
  });

  it('counts its calls', () => {
    const { connection, told } = living({ maxRequests: 2 });
    connection.begin();
    expect(told.away).toBe(0);
    connection.begin();
    expect(told.away).toBe(1);
  });

  it('is idle when the last of its calls has ended', () => {
    const { clock, connection, told } = living({ idleTimeoutMs: 1_000 });
    connection.begin();
    connection.begin();
    clock.advance(5_000);
    connection.release();
    clock.advance(5_000);
    expect(told.away).toBe(0);
    connection.release();
    clock.advance(1_000);
    expect(told.away).toBe(1);
  });

  it.each([
    ['no chain', snapshotOf()],
    ['a chain without limits', snapshotOf(inboundChain(PORT, []))],
  ])('is Envoy’s default of an hour with %s', (_what, snapshot) => {
    const { clock, told } = living(undefined, snapshot);
    clock.advance(3_599_999);
    expect(told.away).toBe(0);
    clock.advance(1);
    expect(told.away).toBe(1);
  });

  it('is Envoy’s default of an hour without a configuration', () => {
    const clock = new FakeClock();
    const connection = new InboundConnection(PLAIN, NO_PEER);
    const socket = new FakeSocket();
    connection.live(socket as unknown as Socket, undefined, clock);
    expect(clock.pending).toBe(1);
    socket.emit('close');
    expect(clock.pending).toBe(0);
  });

  it('is none before it lives: calls are counted all the same', () => {
    const connection = new InboundConnection(PLAIN, NO_PEER);
    connection.begin();
    connection.drain();
    connection.retire();
    connection.release();
    connection.expel(new FakeClock());
    expect(connection.active).toBe(0);
  });

  it('ends with GOAWAY, or with its socket where no stream has come', () => {
    const { connection, socket, told } = living();
    connection.retire();
    expect([told.away, socket.soon]).toEqual([1, 0]);
    connection.goAway = undefined;
    connection.retire();
    expect([told.away, socket.soon]).toEqual([1, 1]);
  });

  it('has 45 s from when its chain was gone first', () => {
    const { connection, socket, clock, told } = living({ idleTimeoutMs: 0 });
    connection.expel(clock);
    clock.advance(30_000);
    connection.expel(clock);
    expect([told.away, clock.pending]).toEqual([2, 1]);
    clock.advance(14_999);
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    expect([socket.destroyed, clock.pending]).toEqual([true, 0]);
  });

  it('counts no time of a connection that has ended', () => {
    const { connection, socket, clock } = living({ idleTimeoutMs: 0 });
    connection.expel(clock);
    socket.emit('close');
    expect(clock.pending).toBe(0);
    const other = living({ idleTimeoutMs: 0 });
    other.socket.destroyed = true;
    other.connection.expel(other.clock);
    expect(other.clock.pending).toBe(0);
  });
});
