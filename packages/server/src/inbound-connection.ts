import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type Clock,
  CONNECTION_LIMITS,
  type ConnectionFacts,
  ConnectionLife,
  type HttpConnectionManager,
  type LimitedConnection,
  type ResetBudget,
  type Snapshot,
} from '@ripstop/core';
import { chooseHttpChain, type FindChains, fits, type HttpChain } from './chain-choice.ts';
import type { HeadTimer } from './head-timer.ts';
import type { InboundExchange } from './inbound-exchange.ts';
import type { OpenConnection } from './open-connections.ts';
import type { InboundPeer } from './peer.ts';

/** A request that came before the one ahead of it was answered. */
interface Pipelined {
  readonly request: { readonly complete: boolean; readonly rawHeaders?: readonly string[] };
  readonly run: () => void;
  /** Of its head. */
  readonly bytes: number;
}

const WHOLE: Pipelined['request'] = { complete: true };
/** So many are kept here; more the caller has to keep itself. While nothing is read, nobody sees that a caller goes: not for fewer. */
const MAX_PIPELINED = 1000;
/** And so many bytes of heads (Envoy's per_connection_buffer_limit_bytes): a thousand of the longest were 60 MB. */
const MAX_PIPELINED_BYTES = 1 << 20;

/** A connection of requests that passed the gate. Its chain follows the configuration: a push that takes the chain away ends the connection. */
export class InboundConnection implements OpenConnection, LimitedConnection {
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  readonly peer: InboundPeer;
  /** Its bytes are encrypted, by the mesh or by the app's own TLS. */
  readonly secure: boolean;
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
  /** Counts the time of heads, where there is a limit. */
  heads: HeadTimer | undefined = undefined;
  /** The request that came last. */
  latest: InboundExchange | undefined = undefined;
  /** Pipelined requests, which are taken one by one as in Envoy, and what comes behind the last of them. */
  private pipelined: Pipelined[] | undefined = undefined;
  private pipelinedBytes = 0;
  /** Nothing is read until there is room. */
  private full = false;
  private life: ConnectionLife | undefined = undefined;
  private readonly find: FindChains;
  /** Of the filters that have let it in. */
  private readonly admittedBy: string | undefined;
  private chain: HttpChain | undefined;
  /** Also when its chain is gone: until it ends, it stands on the roots that its caller was verified by. */
  private verifiedByMesh: boolean;
  private snapshot: Snapshot;

  constructor(socket: Socket, facts: ConnectionFacts, peer: InboundPeer, chain: HttpChain, snapshot: Snapshot, find: FindChains) {
    this.socket = socket;
    this.facts = facts;
    this.peer = peer;
    this.secure = facts.tls || (socket as TLSSocket).encrypted === true;
    this.chain = chain;
    this.verifiedByMesh = isOfMesh(chain);
    this.admittedBy = chain.admission?.key;
    this.snapshot = snapshot;
    this.find = find;
  }

  /** From now on its limits are kept: those of the chain that has let it in. */
  live(clock: Clock): void {
    const life = new ConnectionLife(this.chain!.http.connectionLimits ?? CONNECTION_LIMITS, clock, this);
    this.life = life;
    this.socket.once('close', () => life.close());
  }

  get bytesRead(): number | undefined {
    return this.socket.bytesRead;
  }

  /** The connection manager of the snapshot; undefined = this connection would not be accepted any more. */
  manager(snapshot: Snapshot): HttpConnectionManager | undefined {
    if (snapshot !== this.snapshot) this.bind(snapshot);
    return this.chain?.http;
  }

  /** The connection manager as it was known last. */
  get currentManager(): HttpConnectionManager | undefined {
    return this.chain?.http;
  }

  isWelcome(snapshot: Snapshot): boolean {
    return this.manager(snapshot) !== undefined;
  }

  get terminated(): boolean {
    return this.facts.tls;
  }

  get ofMesh(): boolean {
    return this.verifiedByMesh;
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

  /** HTTP/1: `run` takes the request when those before it were answered. Without an answer before it, it never was one. */
  defer(request: Pipelined['request'], run: () => void): void {
    this.pipelined ??= [];
    const bytes = sizeOf(request.rawHeaders);
    this.pipelined.push({ request, run, bytes });
    this.pipelinedBytes += bytes;
    if (this.full || (this.pipelined.length < MAX_PIPELINED && this.pipelinedBytes < MAX_PIPELINED_BYTES)) return;
    this.full = true;
    this.socket.pause();
  }

  /** One request more. */
  begin(): void {
    this.active++;
    this.life?.onRequest();
  }

  /** One request less. */
  release(): void {
    this.active--;
    if (this.active > 0) return;
    this.life?.onIdle();
    if (this.pipelined !== undefined) this.takeNext(this.pipelined);
    if (this.closing) this.retire();
  }

  /** Runs `last` when every request was answered: nothing overtakes a response. No request is taken any more. */
  endWith(last: () => void): void {
    if (this.ended) return;
    const run = (): void => {
      this.ended = true;
      last();
    };
    // Its body will not come to an end: it is answered by this.
    if (this.pipelined?.at(-1)?.request.complete === false) this.pipelinedBytes -= this.pipelined.pop()!.bytes;
    if (this.active === 0) run();
    else this.defer(WHOLE, run);
  }

  /** Behind a response that closes the connection nothing is read. */
  private takeNext(pipelined: Pipelined[]): void {
    while (this.active === 0 && pipelined.length > 0 && this.socket.writable && !this.ended) {
      const next = pipelined.shift()!;
      this.pipelinedBytes -= next.bytes;
      if (this.full && pipelined.length < MAX_PIPELINED && this.pipelinedBytes < MAX_PIPELINED_BYTES) {
        this.full = false;
        this.socket.resume();
      }
      next.run();
    }
  }

  private bind(snapshot: Snapshot): void {
    const next = chooseHttpChain(this.find(snapshot), this.facts);
    this.snapshot = snapshot;
    const fitting = next !== undefined && fits(this, this.chain?.tls, next) ? next : undefined;
    // Whoever was judged by other filters comes again.
    this.chain = fitting?.admission?.key === this.admittedBy ? fitting : undefined;
    if (this.chain !== undefined) this.verifiedByMesh = isOfMesh(this.chain);
  }
}

function isOfMesh({ tls }: HttpChain): boolean {
  return tls?.validationName === 'ROOTCA';
}

function sizeOf(lines: readonly string[] | undefined): number {
  let bytes = 0;
  if (lines !== undefined) for (let at = 0; at < lines.length; at++) bytes += lines[at]!.length;
  return bytes;
}
