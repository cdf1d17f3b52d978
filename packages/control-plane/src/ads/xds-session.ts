import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import { NAMED_TYPES } from '../translate/translate.ts';
import { type EncodedResource, encodeResources } from './encoded-resource.ts';

/** One response, before its protocol variant encodes it. */
export interface SessionResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** What changed. */
  readonly changed: readonly EncodedResource[];
  /** Everything that the client should have (state of the world of CDS and LDS). */
  readonly all: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/** One request, whatever its protocol variant. */
export interface SessionRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Delta: versions that a reconnecting client holds. */
  readonly initialVersions: Readonly<Record<string, string>>;
  readonly nonce: string;
  /** The client's reasons, when it refuses the response of `nonce`. */
  readonly error: string | undefined;
}

/** What was sent of one type, and what the client said to it. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly sent: string;
  readonly answered: string;
  /** Reasons of the last refusal; '' when the last response was taken. */
  readonly nack: string;
}

interface TypeState {
  readonly names: Set<string>;
  wildcard: boolean;
  /** Versions that the client has, or that are on their way. */
  readonly versions: Map<string, string>;
  sentNonce: string;
  answeredNonce: string;
  nack: string;
}

/** How long a push waits for a client to take new clusters before it sends the routes that use them. */
const WARMING_MS = 500;

/**
 * The server's half of one ADS stream, without transport. Clusters and their endpoints go before listeners and routes, what is
 * no longer needed goes last (make before break), and a resource is sent only when its bytes differ from what the client has.
 */
export class XdsSession {
  readonly node: ProxyNode;
  private readonly send: (response: SessionResponse) => void;
  private readonly scheduler: Scheduler;
  private readonly types = new Map<string, TypeState>();
  private push: PushContext;
  private pushed: PushContext | undefined;
  private pushing = false;
  private nonces = 0;
  private wake: (() => void) | undefined;
  private closed = false;

  constructor(node: ProxyNode, push: PushContext, scheduler: Scheduler, send: (response: SessionResponse) => void) {
    this.node = node;
    this.push = push;
    this.pushed = push;
    this.scheduler = scheduler;
    this.send = send;
  }

  /** True when the client has taken everything of this push. */
  isSynced(push: PushContext): boolean {
    return (
      this.pushed === push &&
      !this.pushing &&
      this.types.size > 0 &&
      [...this.types.values()].every(({ sentNonce, answeredNonce, nack }) => sentNonce === answeredNonce && nack === '')
    );
  }

  get status(): TypeStatus[] {
    return [...this.types].map(([typeUrl, state]) => ({
      typeUrl,
      sent: state.sentNonce,
      answered: state.answeredNonce,
      nack: state.nack,
    }));
  }

  /** Answers what this request newly asks for. Answers to older responses than the last change nothing but the subscription. */
  request(request: SessionRequest): void {
    const { typeUrl, nonce, error } = request;
    let state = this.types.get(typeUrl);
    const first = state === undefined;
    if (state === undefined) {
      state = { names: new Set(), wildcard: false, versions: new Map(), sentNonce: '', answeredNonce: '', nack: '' };
      this.types.set(typeUrl, state);
      for (const [name, version] of Object.entries(request.initialVersions)) state.versions.set(name, version);
    }
    if (nonce !== '' && nonce === state.sentNonce) {
      state.answeredNonce = nonce;
      state.nack = error ?? '';
    }
    const added = this.subscribe(state, request, first);
    if (added.length > 0 || (first && state.wildcard)) this.respond(typeUrl, state, first ? new Set() : new Set(added), first);
    this.wake?.();
  }

  /** New configuration: sends what differs, in order. */
  update(push: PushContext): void {
    this.push = push;
    if (!this.pushing) void this.run();
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  private subscribe(state: TypeState, { typeUrl, subscribe, unsubscribe }: SessionRequest, first: boolean): string[] {
    const added: string[] = [];
    for (const name of subscribe) {
      if (name === '*') state.wildcard = true;
      else {
        state.names.add(name);
        added.push(name);
      }
    }
    // Old clients say "everything" by naming nothing, once, at the start (CDS and LDS only).
    if (first && subscribe.length === 0 && !NAMED_TYPES.has(typeUrl)) state.wildcard = true;
    for (const name of unsubscribe) {
      if (name === '*') state.wildcard = false;
      state.names.delete(name);
      state.versions.delete(name);
    }
    return added;
  }

  /** Sends one type. `force`: names that are sent even if the client has that version. The first response is sent even if empty. */
  private respond(typeUrl: string, state: TypeState, force: ReadonlySet<string>, always: boolean, removals = true): EncodedResource[] {
    const names = [...state.names];
    const found = encodeResources(typeUrl, this.node, this.push, names);
    const all = state.wildcard || NAMED_TYPES.has(typeUrl) ? found : found.filter(({ name }) => state.names.has(name));
    const changed = all.filter(({ name, version }) => force.has(name) || state.versions.get(name) !== version);
    const present = new Set(all.map(({ name }) => name));
    const removed = removals ? [...state.versions.keys()].filter((name) => !present.has(name)) : [];
    if (changed.length === 0 && removed.length === 0 && !always) return [];
    for (const { name, version } of changed) state.versions.set(name, version);
    for (const name of removed) state.versions.delete(name);
    state.sentNonce = `${++this.nonces}`;
    this.send({ typeUrl, nonce: state.sentNonce, changed, all, removed });
    return changed;
  }

  private async run(): Promise<void> {
    this.pushing = true;
    try {
      while (this.pushed !== this.push && !this.closed) {
        const target = this.push;
        await this.pushTypes();
        this.pushed = target;
      }
    } finally {
      this.pushing = false;
    }
  }

  private async pushTypes(): Promise<void> {
    const clusters = this.types.get(CLUSTER_TYPE_URL);
    if (clusters !== undefined) {
      const known = new Set(clusters.versions.keys());
      const added = this.respond(CLUSTER_TYPE_URL, clusters, new Set(), false, false).filter(({ name }) => !known.has(name));
      if (added.length > 0) await this.until(() => this.hasTaken(clusters) && this.hasEndpoints(added));
    }
    for (const typeUrl of [ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL]) {
      const state = this.types.get(typeUrl);
      if (state !== undefined && !this.closed) this.respond(typeUrl, state, new Set(), false);
    }
    // Clusters that nothing points to any more.
    if (clusters !== undefined && !this.closed) this.respond(CLUSTER_TYPE_URL, clusters, new Set(), false);
  }

  private hasTaken({ sentNonce, answeredNonce }: TypeState): boolean {
    return sentNonce === answeredNonce;
  }

  /** The client has asked for the endpoints of new clusters, and has got them. */
  private hasEndpoints(added: readonly EncodedResource[]): boolean {
    const endpoints = this.types.get(ENDPOINT_TYPE_URL);
    if (endpoints === undefined) return true;
    const named = added.filter(({ name }) => name.startsWith('outbound|'));
    return named.every(({ name }) => endpoints.names.has(name)) && this.hasTaken(endpoints);
  }

  /** A client that never asks (it does not use the cluster, or it cannot) must not hold up the rest. */
  private until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        this.wake = undefined;
        resolve();
      };
      const timer = this.scheduler.setTimer(finish, WARMING_MS);
      this.wake = () => {
        if (this.closed || done()) finish();
      };
    });
  }
}
