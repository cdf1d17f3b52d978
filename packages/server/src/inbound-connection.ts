import type { Socket } from 'node:net';
import type { ConnectionFacts, HttpConnectionManager, Snapshot } from '@ripstop/core';
import { chooseChain, type FindChains, fits, type HttpChain, isHttp } from './chain-choice.ts';
import type { ResetBudget } from './http2/reset-budget.ts';
import type { InboundExchange } from './inbound-exchange.ts';
import type { OpenConnection } from './open-connections.ts';
import type { InboundPeer } from './peer.ts';

/** A connection of requests that passed the gate. Its chain follows the configuration: a push that takes the chain away ends the connection. */
export class InboundConnection implements OpenConnection {
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  readonly peer: InboundPeer;
  /** Requests that are being answered, upgraded ones included. */
  active = 0;
  /** The next response says `connection: close`. */
  closing = false;
  /** Nothing more is read from it: its last response is on its way, or was. */
  ended = false;
  expelled = false;
  /** HTTP/2: tells the caller to open no further stream (GOAWAY), and closes when the last one has ended. */
  goAway: (() => void) | undefined = undefined;
  /** HTTP/2: how many streams its caller may take back. */
  resets: ResetBudget | undefined = undefined;
  /** Its caller has abused a connection lately. */
  suspect = false;
  /** The request that came last. */
  latest: InboundExchange | undefined = undefined;
  private whenIdle: (() => void) | undefined = undefined;
  /** Pipelined: their responses wait behind earlier ones. One listener for all of them, however many there are. */
  private waiting: Set<InboundExchange> | undefined = undefined;
  private readonly find: FindChains;
  private chain: HttpChain | undefined;
  private snapshot: Snapshot;

  constructor(socket: Socket, facts: ConnectionFacts, peer: InboundPeer, chain: HttpChain, snapshot: Snapshot, find: FindChains) {
    this.socket = socket;
    this.facts = facts;
    this.peer = peer;
    this.chain = chain;
    this.snapshot = snapshot;
    this.find = find;
  }

  /** The connection manager of the snapshot; undefined = this connection would not be accepted any more. */
  manager(snapshot: Snapshot): HttpConnectionManager | undefined {
    if (snapshot !== this.snapshot) this.bind(snapshot);
    return this.chain?.http;
  }

  isWelcome(snapshot: Snapshot): boolean {
    return this.manager(snapshot) !== undefined;
  }

  get terminated(): boolean {
    return this.facts.tls;
  }

  get ofMesh(): boolean {
    return this.chain?.tls?.validationName === 'ROOTCA';
  }

  drain(): void {
    this.closing = true;
    this.goAway?.();
  }

  /** No further request after the ones that run. */
  retire(): void {
    this.closing = true;
    if (this.goAway !== undefined) this.goAway();
    else if (this.active === 0) this.socket.destroySoon();
  }

  /** The exchange ends with the socket, unless it has ended before. */
  awaitTurn(exchange: InboundExchange): void {
    if (this.waiting === undefined) {
      const waiting = new Set<InboundExchange>();
      this.waiting = waiting;
      this.socket.once('close', () => {
        for (const one of [...waiting]) one.closeUnsent();
      });
    }
    this.waiting.add(exchange);
  }

  /** One request less. */
  release(exchange?: InboundExchange): void {
    if (exchange !== undefined) this.waiting?.delete(exchange);
    this.active--;
    if (this.active > 0) return;
    const run = this.whenIdle;
    this.whenIdle = undefined;
    if (run !== undefined) run();
    else if (this.closing) this.retire();
  }

  /** Runs `last` when every request was answered: nothing overtakes a response. No request is taken any more. */
  endWith(last: () => void): void {
    if (this.ended) return;
    this.ended = true;
    if (this.active === 0) last();
    else this.whenIdle = last;
  }

  private bind(snapshot: Snapshot): void {
    const next = chooseChain(this.find(snapshot), this.facts, false);
    this.snapshot = snapshot;
    this.chain = typeof next !== 'string' && isHttp(next) && fits(this, this.chain?.tls, next) ? next : undefined;
  }
}
