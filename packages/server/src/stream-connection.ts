import type { Socket } from 'node:net';
import type { ConnectionFacts, DownstreamTls, Snapshot } from '@ripstop/core';
import { chooseChain, type FindChains, fits, isHttp, type TcpChain } from './chain-choice.ts';
import type { OpenConnection } from './open-connections.ts';
import type { InboundPeer } from './peer.ts';

/** A connection whose bytes are carried as they come. A push that takes its chain away ends it, in time. */
export class StreamConnection implements OpenConnection {
  /** Paused; nothing was read from it but what was put back. */
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  readonly peer: InboundPeer;
  readonly chain: TcpChain;
  /** In force when it came. */
  readonly snapshot: Snapshot;
  expelled = false;
  private readonly find: FindChains;
  /** Of the chain that it is let in by now. */
  private tls: DownstreamTls | undefined;

  constructor(socket: Socket, facts: ConnectionFacts, peer: InboundPeer, chain: TcpChain, snapshot: Snapshot, find: FindChains) {
    this.socket = socket;
    this.facts = facts;
    this.peer = peer;
    this.chain = chain;
    this.snapshot = snapshot;
    this.find = find;
    this.tls = chain.tls;
  }

  get terminated(): boolean {
    return this.chain.tls !== undefined;
  }

  get ofMesh(): boolean {
    return this.tls?.validationName === 'ROOTCA';
  }

  isWelcome(snapshot: Snapshot): boolean {
    const next = chooseChain(this.find(snapshot), this.facts, true);
    if (typeof next === 'string' || isHttp(next) || !fits(this, this.tls, next)) return false;
    this.tls = next.tls;
    return true;
  }

  /** Where a stream of bytes may be cut nobody can tell: it has until the end of the drain time. */
  drain(): void {}

  retire(): void {}
}
