import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL, SECRET_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import type { GrpcNote } from '../translate/grpc/notes.ts';
import { grpcNotes } from '../translate/grpc/translate-grpc.ts';
import { NAMED_TYPES } from '../translate/translate.ts';
import { type EncodedResource, encodeResources } from './encoded-resource.ts';
import type { SessionRequest, SessionResponse, TypeStatus } from './session-messages.ts';
import { TypeState } from './type-state.ts';

export interface SessionOptions {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly scheduler: Scheduler;
  /** State of the world: a CDS or LDS response says everything that exists, so what it leaves out is gone. */
  readonly stateOfTheWorld: boolean;
  readonly send: (response: SessionResponse) => void;
  readonly onRefused: (typeUrl: string, reason: string) => void;
  /** A type that cannot be translated; what the client has of it stays. */
  readonly onProblem: (typeUrl: string, error: unknown) => void;
}

/** How one type is answered. */
interface Scope {
  /** Only these names are looked at. */
  readonly only?: ReadonlySet<string>;
  /** Sent even if the client has that version. */
  readonly force?: ReadonlySet<string>;
  /** Said to be gone if they do not exist, though the client was never given them. */
  readonly asked?: ReadonlySet<string>;
  /** Sent even if there is nothing to say. */
  readonly always?: boolean;
  /** Nothing is removed yet. */
  readonly keep?: boolean;
}

/** What a response was made of. */
interface Answered {
  /** All that exists; undefined when it could not be translated. */
  readonly all: readonly EncodedResource[] | undefined;
  readonly changed: readonly EncodedResource[];
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
  /** What requests are answered from; `next` follows when it has been sent in order. */
  private push: PushContext;
  private previous: PushContext;
  private next: PushContext;
  private pushing = false;
  private nonces = 0;
  private wake: (() => void) | undefined;
  private closed = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.node = options.node;
    this.push = options.push;
    this.previous = options.push;
    this.next = options.push;
  }

  /** True when the client has taken everything of this push. */
  isSynced(push: PushContext): boolean {
    return this.push === push && !this.pushing && this.types.size > 0 && [...this.types.values()].every(({ taken }) => taken);
  }

  get status(): TypeStatus[] {
    return [...this.types.values()].map(({ status }) => status);
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
    this.wake?.();
  }

  /** Takes a request and sends what it newly asks for. */
  request(request: SessionRequest): void {
    const { typeUrl, nonce, error, initialVersions } = request;
    this.answer(typeUrl, nonce, error);
    let state = this.types.get(typeUrl);
    const first = state === undefined;
    if (state === undefined) {
      state = new TypeState(typeUrl, initialVersions);
      this.types.set(typeUrl, state);
    }
    const { names, all } = state.subscribe(request);
    // On the first request of a type the client says what it holds: that is not sent again.
    const force = first ? NOTHING : names;
    if (all) this.respond(typeUrl, state, { force, asked: names, always: true });
    else if (names.size > 0) this.respond(typeUrl, state, { only: names, force, always: true });
    this.wake?.();
  }

  /** New configuration: sends what differs, in order. Pushes that come while one is under way become one. */
  update(push: PushContext): void {
    this.next = push;
    if (!this.pushing) void this.run();
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  /** Sends what there is to say about one type; answers what there is, and what was sent of it. */
  private respond(typeUrl: string, state: TypeState, scope: Scope): Answered {
    const { only, force = NOTHING, asked = NOTHING, always = false, keep = false } = scope;
    const all = this.encode(typeUrl, this.push, only !== undefined && NAMED_TYPES.has(typeUrl) ? only : state.names, state);
    if (all === undefined || this.closed) return { all: undefined, changed: [] };
    const changed = all.filter(
      ({ name, version }) => (only === undefined || only.has(name)) && (force.has(name) || state.versions.get(name) !== version),
    );
    const present = new Set(all.map(({ name }) => name));
    const gone = [...(only ?? new Set([...state.versions.keys(), ...asked]))].filter((name) => !present.has(name));
    const removed = keep ? [] : gone;
    if (changed.length === 0 && removed.length === 0 && !always) return { all, changed };
    const nonce = `${++this.nonces}`;
    const version = state.record(nonce, changed, removed);
    const kept = keep && this.options.stateOfTheWorld && gone.length > 0 ? this.stillThere(typeUrl, state, gone) : [];
    this.options.send({ typeUrl, nonce, version, changed, all: [...all, ...kept], removed });
    return { all, changed };
  }

  private encode(typeUrl: string, push: PushContext, names: Iterable<string>, state: TypeState): EncodedResource[] | undefined {
    try {
      const found = encodeResources(typeUrl, this.node, push, [...names]);
      return NAMED_TYPES.has(typeUrl) || state.wildcard ? found : found.filter(({ name }) => state.wants(name));
    } catch (error) {
      this.options.onProblem(typeUrl, error);
      return undefined;
    }
  }

  /** Resources of the push before this one that the client must not lose yet. */
  private stillThere(typeUrl: string, state: TypeState, gone: readonly string[]): EncodedResource[] {
    const names = new Set(gone);
    return (this.encode(typeUrl, this.previous, state.names, state) ?? []).filter(({ name }) => names.has(name));
  }

  private async run(): Promise<void> {
    this.pushing = true;
    try {
      while (this.push !== this.next && !this.closed) {
        // A slow client gets what is newest when it is ready, instead of everything that it has missed.
        if (!this.settled) await this.until(() => this.settled, ANSWER_MS);
        this.previous = this.push;
        this.push = this.next;
        await this.pushTypes();
      }
    } finally {
      this.pushing = false;
    }
  }

  private get settled(): boolean {
    return [...this.types.values()].every(({ settled }) => settled);
  }

  private async pushTypes(): Promise<void> {
    const clusters = this.types.get(CLUSTER_TYPE_URL);
    const endpoints = this.types.get(ENDPOINT_TYPE_URL);
    if (clusters !== undefined) {
      const known = new Set(clusters.versions.keys());
      const { all, changed } = this.respond(CLUSTER_TYPE_URL, clusters, { keep: true });
      const present = all === undefined ? known : new Set(all.map(({ name }) => name));
      const leaving = new Set([...known].filter((name) => !present.has(name)));
      const fresh = changed.map(({ endpointsName }) => endpointsName).filter((name) => endpoints?.names.has(name) === true);
      // A cluster that leaves keeps its endpoints: routes still point to it.
      if (endpoints !== undefined) {
        const only = new Set([...endpoints.names].filter((name) => !leaving.has(name)));
        this.respond(ENDPOINT_TYPE_URL, endpoints, { force: new Set(fresh), ...(leaving.size === 0 ? {} : { only }) });
      }
      const added = changed.filter(({ name }) => !known.has(name));
      if (added.length > 0) await this.until(() => clusters.settled && this.hasEndpoints(added));
    }
    for (const typeUrl of clusters === undefined ? [ENDPOINT_TYPE_URL, ...LAST_TYPES] : LAST_TYPES) {
      const state = this.types.get(typeUrl);
      if (state !== undefined) this.respond(typeUrl, state, {});
    }
    // Clusters that nothing points to any more.
    if (clusters !== undefined) this.respond(CLUSTER_TYPE_URL, clusters, {});
  }

  /** The client has asked for the endpoints of new clusters, and has got them. */
  private hasEndpoints(added: readonly EncodedResource[]): boolean {
    const needed = added.filter(({ endpointsName }) => endpointsName !== '');
    if (needed.length === 0) return true;
    const endpoints = this.types.get(ENDPOINT_TYPE_URL);
    return endpoints?.settled === true && needed.every(({ endpointsName }) => endpoints.names.has(endpointsName));
  }

  /** A client that never asks (it does not use the cluster, or it cannot) must not hold up the rest. */
  private until(done: () => boolean, timeoutMs = WARMING_MS): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        this.wake = undefined;
        resolve();
      };
      const timer = this.options.scheduler.setTimer(finish, timeoutMs);
      this.wake = () => {
        if (this.closed || done()) finish();
      };
    });
  }
}

const NOTHING: ReadonlySet<string> = new Set();
const LAST_TYPES = [LISTENER_TYPE_URL, ROUTE_TYPE_URL, SECRET_TYPE_URL];
