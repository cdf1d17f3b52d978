import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import type { GrpcNote } from '../translate/grpc/notes.ts';
import { grpcNotes } from '../translate/grpc/translate-grpc.ts';
import { AnswerWait } from './answer-wait.ts';
import { both, differences, type Found, missing, NOTHING, NOTHING_SENT, type Sent, these, without } from './differences.ts';
import type { EncodedResource } from './encoded-resource.ts';
import { HoldingPool, type Names } from './holding.ts';
import { ResourceFinder } from './resource-finder.ts';
import type { HeldResource, SessionRequest, SessionResponse, TypeStatus } from './session-messages.ts';
import { type TimeToLive, timeToLiveOf } from './time-to-live.ts';
import type { Work } from './turns.ts';
import { TypeState } from './type-state.ts';

export interface SessionOptions {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly scheduler: Scheduler;
  /** State of the world: a CDS or LDS response says everything that exists, so what it leaves out is gone. */
  readonly stateOfTheWorld: boolean;
  /** What its clients hold alike is kept once. Default: each for itself. */
  readonly holdings?: HoldingPool;
  /** Resources that the client does not hear of for so long are gone there; 0 or undefined: never. Only for clients that say they know it. */
  readonly resourceTtlMs?: number;
  /** `ms`: how long it took to find out what to say. */
  readonly send: (response: SessionResponse, ms: number) => void;
  /** Everything of a push was sent. */
  readonly onPushed?: (push: PushContext) => void;
  /** Runs work when it is this client's turn: others must be served too, and this one must have read what it was sent. Default: now. */
  readonly whenItIsMyTurn?: (work: Work) => void;
  readonly onRefused: (typeUrl: string, reason: string) => void;
  /** A type that cannot be translated; what the client has of it stays. */
  readonly onProblem: (typeUrl: string, error: unknown) => void;
}

/** How it is sent. */
interface Manner {
  /** Sent even if the client has that version. */
  readonly force?: Names;
  /** Said to be gone if they do not exist, though the client was never given them. */
  readonly asked?: Names;
  /** Sent even if there is nothing to say. */
  readonly always?: boolean;
  /** Nothing is removed yet. */
  readonly keep?: boolean;
}

/** How long a push waits for a client to take new clusters before it sends the routes that use them. */
export const WARMING_MS = 500;
/** How long the next push waits for answers to the one before: a client that never answers is not forgotten. */
export const ANSWER_MS = 5000;

/**
 * The server's half of one ADS stream, without transport. Clusters and their endpoints go before listeners and routes, what is
 * no longer needed goes last (make before break), and a resource is sent only when its bytes differ from what the client has.
 * Endpoints of a changed cluster are sent again though they are the same: a client warms the cluster until they come.
 */
export class XdsSession {
  readonly node: ProxyNode;
  private readonly options: SessionOptions;
  private readonly types = new Map<string, TypeState>();
  private readonly finder: ResourceFinder;
  private readonly holdings: HoldingPool;
  /** What requests are answered from; `next` follows when it has been sent in order. */
  private push: PushContext;
  private next: PushContext;
  private pushing = false;
  private nonces = 0;
  /** Endpoints that go out again when they are asked for, though the client has them: their cluster changed while it was away. */
  private readonly owed = new Set<string>();
  private readonly wait: AnswerWait;
  private readonly ttl: TimeToLive | undefined;
  private beat: { cancel(): void } | undefined;
  /** What clients that are told everything once more were told last, by type. */
  private readonly whole = new Map<string, readonly EncodedResource[]>();
  private closed = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.node = options.node;
    this.finder = new ResourceFinder(options.node, options.onProblem);
    this.wait = new AnswerWait(options.scheduler);
    this.holdings = options.holdings ?? new HoldingPool();
    this.push = options.push;
    this.next = options.push;
    this.ttl = timeToLiveOf(options.resourceTtlMs ?? 0, options.stateOfTheWorld, options.node);
    this.scheduleBeat();
  }

  /** True when the client has taken everything of this push. */
  isSynced(push: PushContext): boolean {
    return this.push === push && !this.pushing && this.types.size > 0 && [...this.types.values()].every(({ taken }) => taken);
  }

  /** The client was sent clusters, endpoints, listeners and routes, and has answered all of it: it has what it needs to begin. */
  get hasFirstSet(): boolean {
    return this.settled && FIRST_SET.every((typeUrl) => this.lastNonce(typeUrl) !== '');
  }

  get status(): TypeStatus[] {
    return [...this.types.values()].map(({ status }) => status);
  }

  /** Every resource that the client was sent, and what it said to it. */
  get held(): HeldResource[] {
    return [...this.types.values()].flatMap((state) => state.held);
  }

  /** What the client does otherwise than configured, in what it asks for (gRPC clients only). */
  get notes(): GrpcNote[] {
    if (this.node.dialect !== 'grpc') return [];
    return [...this.types].flatMap(([typeUrl, { names }]) => grpcNotes(typeUrl, this.node, this.push, [...names]));
  }

  /** Nonce of the last response of a type; '' before the first. */
  lastNonce(typeUrl: string): string {
    return this.types.get(typeUrl)?.sent ?? '';
  }

  /** Takes an ACK or NACK alone. Answers to a response that was never sent, or answered already, change nothing. */
  answer(typeUrl: string, nonce: string, error: string | undefined): void {
    if (nonce === '' || this.types.get(typeUrl)?.answer(nonce, error) !== true) return;
    if (error !== undefined) this.options.onRefused(typeUrl, error);
    this.wait.wake();
  }

  /** Takes a request and sends what it newly asks for. */
  request(request: SessionRequest): void {
    const { typeUrl, nonce, error, initialVersions } = request;
    this.answer(typeUrl, nonce, error);
    let state = this.types.get(typeUrl);
    const first = state === undefined;
    if (state === undefined) {
      state = new TypeState(typeUrl, initialVersions, this.holdings, this.expires(typeUrl));
      this.types.set(typeUrl, state);
    }
    const { names, all } = state.subscribe(request);
    // On the first request of a type the client says what it holds: that is not sent again.
    const force = first ? this.owed : names;
    const manner = { force, asked: names, always: true };
    if (all || names.size > 0)
      this.inTurn(() => this.finder.prepare(typeUrl, this.push, names) || this.reply(typeUrl, state, all ? undefined : names, manner));
    // What it held before must not run out before the next beat.
    if (first && this.ttl?.repeats === false) this.inTurn(() => this.beatType(typeUrl, state));
    this.wait.wake();
  }

  /** New configuration: sends what differs, in order. Pushes that come while one is under way become one. */
  update(push: PushContext): void {
    this.next = push;
    if (this.pushing) return;
    this.pushing = true;
    this.inTurn(() => {
      void this.run();
    });
  }

  close(): void {
    this.closed = true;
    this.beat?.cancel();
    this.wait.close();
  }

  private inTurn(work: Work): void {
    const { whenItIsMyTurn } = this.options;
    if (whenItIsMyTurn !== undefined) whenItIsMyTurn(work);
    else while (work() === true);
  }

  private reply(typeUrl: string, state: TypeState, names: Names | undefined, manner: Manner): false {
    const found = this.finder.find(typeUrl, state, this.push, names);
    if (found === undefined) return false;
    const { changed, added } = this.respond(typeUrl, state, found, manner);
    // A cluster that the client has in another version warms until its endpoints come, though it has those.
    if (typeUrl !== CLUSTER_TYPE_URL || changed.length === added.length) return false;
    const fresh = new Set(added);
    for (const cluster of changed) if (!fresh.has(cluster) && cluster.endpointsName !== '') this.owed.add(cluster.endpointsName);
    this.payEndpoints();
    return false;
  }

  private payEndpoints(): void {
    const state = this.types.get(ENDPOINT_TYPE_URL);
    const names = both(this.owed, state?.names ?? NOTHING);
    if (state !== undefined && names.size > 0) this.reply(ENDPOINT_TYPE_URL, state, names, { force: names });
  }

  private news(typeUrl: string, since: PushContext, more?: Names): Found | undefined {
    return this.finder.news(typeUrl, this.types.get(typeUrl), this.push, since, more);
  }

  private respond(typeUrl: string, state: TypeState, found: Found, manner: Manner): Sent {
    const { resources, names, before } = found;
    const { force = NOTHING, asked = NOTHING, always = false, keep = false } = manner;
    if (this.closed) return NOTHING_SENT;
    const { changed, added, held } = differences(state, found, force);
    const whole = names === undefined && asked.size === 0;
    const gone = whole && held === state.versions.size ? [] : missing(state, found, names, asked);
    const removed = keep || NEVER_REMOVED.has(typeUrl) ? [] : gone;
    if (changed.length === 0 && removed.length === 0 && !always) return NOTHING_SENT;
    const nonce = `${++this.nonces}`;
    const version = state.record(nonce, changed, removed);
    const all = keep ? [...resources, ...these(gone, before)] : resources;
    if (this.owed.size > 0 && typeUrl === ENDPOINT_TYPE_URL) for (const { name } of changed) this.owed.delete(name);
    if (this.ttl?.repeats === true) this.whole.set(typeUrl, all);
    this.options.send({ typeUrl, nonce, version, changed, all, removed, ...this.lifetime(typeUrl) }, performance.now() - found.startedMs);
    return { changed, added };
  }

  private expires(typeUrl: string): boolean {
    return this.ttl?.covers(typeUrl) === true;
  }

  private lifetime(typeUrl: string): { readonly ttlMs?: number } {
    return this.ttl?.covers(typeUrl) === true ? { ttlMs: this.ttl.ttlMs } : {};
  }

  private scheduleBeat(): void {
    if (this.ttl === undefined) return;
    this.beat = this.options.scheduler.setTimer(() => {
      for (const [typeUrl, state] of this.types) this.inTurn(() => this.beatType(typeUrl, state));
      this.scheduleBeat();
    }, this.ttl.everyMs);
  }

  /** Says that what the client has taken still holds. */
  private beatType(typeUrl: string, state: TypeState): void {
    if (this.closed || !this.expires(typeUrl)) return;
    const all = this.whole.get(typeUrl) ?? [];
    const beats = this.ttl?.repeats === true ? [] : state.beats;
    if (all.length + beats.length === 0) return;
    const nonce = `${++this.nonces}`;
    // State of the world has no versions of resources: a beat is one by the version that the client has.
    const version = state.record(nonce, all, [], this.options.stateOfTheWorld && !this.ttl!.repeats ? state.accepted : undefined);
    this.options.send({ typeUrl, nonce, version, changed: [], all, removed: [], ...this.lifetime(typeUrl), beats }, 0);
  }

  private async run(): Promise<void> {
    try {
      while (this.push !== this.next && !this.closed) {
        // A slow client gets what is newest when it is ready, instead of everything that it has missed.
        if (!this.settled) await this.wait.until(() => this.settled, ANSWER_MS);
        const since = this.push;
        this.push = this.next;
        await this.pushTypes(since);
        this.options.onPushed?.(this.push);
        if (this.push !== this.next) await new Promise<void>((resolve) => this.inTurn(() => resolve()));
      }
    } finally {
      this.pushing = false;
    }
  }

  private get settled(): boolean {
    for (const { settled } of this.types.values()) if (!settled) return false;
    return true;
  }

  private async pushTypes(since: PushContext): Promise<void> {
    // Looked up before anything is waited for: later, other clients may be a push further, and what they share with them.
    const clusters = this.news(CLUSTER_TYPE_URL, since);
    const last = LAST_TYPES.map((typeUrl) => ({ typeUrl, found: this.news(typeUrl, since) }));
    const leaving = clusters === undefined ? [] : missing(this.types.get(CLUSTER_TYPE_URL)!, clusters, undefined, NOTHING);
    const sent = this.send(CLUSTER_TYPE_URL, clusters, { keep: true });
    // A client warms a changed cluster until its endpoints come, though they are the same.
    const wanted = this.types.get(ENDPOINT_TYPE_URL)?.names ?? NOTHING;
    const fresh = sent.changed.length === 0 ? NOTHING : new Set(sent.changed.map(endpointsOf).filter((name) => wanted.has(name)));
    const endpoints = this.news(ENDPOINT_TYPE_URL, since, fresh);
    // A cluster that leaves keeps its endpoints: routes still point to it.
    this.send(ENDPOINT_TYPE_URL, endpoints && without(endpoints, leaving), { force: fresh });
    // A client that never asks (it does not use the cluster, or it cannot) is not waited for longer.
    if (sent.added.length > 0) await this.wait.until(() => this.isWarm(sent.added), WARMING_MS);
    for (const { typeUrl, found } of last) this.send(typeUrl, found, {});
    // Clusters that nothing points to any more.
    this.send(CLUSTER_TYPE_URL, clusters, {});
  }

  private send(typeUrl: string, found: Found | undefined, manner: Manner): Sent {
    const state = this.types.get(typeUrl);
    if (state === undefined || found === undefined) return NOTHING_SENT;
    // What it has asked for since was answered already, and must not be taken for something that is gone.
    const now = found.subscription === state.subscription ? found : this.finder.find(typeUrl, state, this.push, undefined);
    return now === undefined ? NOTHING_SENT : this.respond(typeUrl, state, now, manner);
  }

  /** The client has taken new clusters, has asked for their endpoints, and has taken those. */
  private isWarm(added: readonly EncodedResource[]): boolean {
    if (this.types.get(CLUSTER_TYPE_URL)?.settled !== true) return false;
    const needed = added.filter(({ endpointsName }) => endpointsName !== '');
    if (needed.length === 0) return true;
    const endpoints = this.types.get(ENDPOINT_TYPE_URL);
    return endpoints?.settled === true && needed.every(({ endpointsName }) => endpoints.versions.has(endpointsName));
  }
}

function endpointsOf({ endpointsName }: EncodedResource): string {
  return endpointsName;
}

const FIRST_SET = [CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL];
/** As istiod (neverRemoveDelta): a filter keeps what it had until its listener no longer names it. */
const NEVER_REMOVED: ReadonlySet<string> = new Set([EXTENSION_TYPE_URL]);
/** What a listener names beside its routes comes before it: it does not warm for ever. */
const LAST_TYPES = [EXTENSION_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL, SECRET_TYPE_URL];
