import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type Cancel,
  CHAIN_GONE_MS,
  type Clock,
  type IdentitySource,
  KnownIntermediates,
  type Snapshot,
  type SnapshotRef,
  TrustReview,
} from '@ripstop/core';
import type { InboundPeer } from './peer.ts';

/** A connection that passed the gate, of requests or of bytes. */
export interface OpenConnection {
  readonly socket: Socket;
  readonly peer: InboundPeer;
  /** The caller was verified by the roots of the mesh, which change with the workload's identity. */
  readonly ofMesh: boolean;
  /** Its chain is gone, and its time is counted. */
  expelled: boolean;
  /** Whether it would be let in by that configuration. */
  isWelcome(snapshot: Snapshot): boolean;
  /** The listener goes away; what is open may come to its end. */
  drain(): void;
  /** Ends as soon as it can without harm. */
  retire(): void;
}

/** The connections of one port, from the first byte to the last: those that are no longer welcome end, and the port closes behind all of them. */
export class OpenConnections {
  private readonly open = new Set<OpenConnection>();
  /** Raw sockets, also those that are still on their way in. */
  private readonly entered = new Set<Socket>();
  /** PEM of the roots that a connection was verified by: of raw sockets, then of connections. */
  private readonly verifiedBy = new WeakMap<Socket | OpenConnection, string>();
  private readonly admittedRaw = new WeakSet<Socket>();
  private readonly clock: Clock;
  private readonly cancelSubscriptions: Cancel;
  /** PEM of the roots that open connections were verified against. */
  private trusted: string;
  private readonly intermediates = new KnownIntermediates();
  private whenEmpty: (() => void)[] = [];
  draining = false;

  constructor(clock: Clock, snapshots: SnapshotRef, identity: IdentitySource | undefined) {
    this.clock = clock;
    const cancelSwap = snapshots.onSwap((next) => this.follow(next));
    this.trusted = identity?.current()?.trustBundlePem ?? '';
    this.intermediates.learn(identity?.current()?.certificateChainPem);
    const cancelRotate = identity?.onRotate(({ certificateChainPem, trustBundlePem }) => {
      this.intermediates.learn(certificateChainPem);
      this.trust(trustBundlePem);
    });
    this.cancelSubscriptions = () => {
      cancelSwap();
      cancelRotate?.();
    };
  }

  /** A raw socket that wants in. */
  enter(raw: Socket): void {
    this.entered.add(raw);
    // An error event without a listener would end the process; the close event says all that matters here.
    raw.on('error', ignore);
    raw.once('close', () => {
      this.entered.delete(raw);
      this.checkEmpty();
    });
  }

  /** A connection that is let in, over a raw socket. */
  keep(raw: Socket, connection: OpenConnection): void {
    const { socket } = connection;
    // node:http lets go of upgraded sockets; an error event without a listener would end the process.
    socket.on('error', ignore);
    this.admittedRaw.add(raw);
    this.open.add(connection);
    this.verifiedBy.set(connection, this.verifiedBy.get(raw) ?? this.trusted);
    socket.once('close', () => {
      this.open.delete(connection);
      this.checkEmpty();
    });
    // They may have changed while it was judged.
    if (this.verifiedBy.get(connection) !== this.trusted) this.review();
  }

  /** To be called when a handshake begins: the roots may change before its connection is kept. */
  watchRoots(raw: Socket): void {
    this.verifiedBy.set(raw, this.trusted);
  }

  drain(): void {
    this.draining = true;
    for (const connection of this.open) connection.drain();
  }

  /** Closes what is idle and waits for the rest, at most `drainMs`; then nothing is open any more. */
  async close(drainMs: number): Promise<void> {
    this.drain();
    for (const connection of this.open) connection.retire();
    for (const raw of this.entered) if (!this.admittedRaw.has(raw)) raw.destroy();
    if (this.open.size + this.entered.size > 0) {
      const emptied = new Promise<void>((resolve) => this.whenEmpty.push(resolve));
      const timer = this.clock.setTimer(() => this.destroy(), drainMs);
      await emptied;
      timer.cancel();
    }
    // Not before: a root may be taken out while the last ones are waited for.
    this.cancelSubscriptions();
  }

  private destroy(): void {
    for (const connection of this.open) connection.socket.destroy();
    for (const raw of this.entered) raw.destroy();
  }

  /** Connections whose chain is gone (PERMISSIVE became STRICT) end: idle ones now, busy ones with their response. */
  private follow(next: Snapshot): void {
    for (const connection of this.open) if (!connection.isWelcome(next)) this.expel(connection);
  }

  /** Callers whose root was taken out of the bundle are strangers now, whatever they are in the middle of. Envoy keeps their connections open (docs/reference/differences.md). */
  private trust(bundle: string): void {
    if (bundle === this.trusted) return;
    this.trusted = bundle;
    this.review();
  }

  private review(): void {
    const review = new TrustReview(this.trusted, this.intermediates.all);
    for (const connection of this.open) {
      const certificate = connection.peer.mtls && connection.ofMesh ? (connection.socket as TLSSocket).getPeerX509Certificate() : undefined;
      if (certificate !== undefined && !review.trusts(certificate, this.verifiedBy.get(connection)!)) connection.socket.destroy();
    }
  }

  /** Idle connections end now, others with their response; long streams and upgraded ones get so much time, no more. */
  private expel(connection: OpenConnection): void {
    connection.retire();
    if (connection.socket.destroyed || connection.expelled) return;
    connection.expelled = true;
    const timer = this.clock.setTimer(() => connection.socket.destroy(), CHAIN_GONE_MS);
    connection.socket.once('close', () => timer.cancel());
  }

  private checkEmpty(): void {
    if (this.open.size + this.entered.size > 0) return;
    for (const resolve of this.whenEmpty.splice(0)) resolve();
  }
}

function ignore(): void {}
