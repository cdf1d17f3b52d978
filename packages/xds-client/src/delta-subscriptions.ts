import type { ConfigUpdate, RawResource, Rejection } from '@ripstop/core';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@ripstop/xds-api';

/** Told how long each resource lasts; undefined: for ever, or no longer of interest. */
export interface Lifetimes {
  set(typeUrl: string, name: string, ttlMs: number | undefined): void;
}

/** What the client wants and has of one type. */
interface TypeState {
  wanted: ReadonlySet<string> | '*';
  /** Versions of what was received; told to the server after a reconnect. */
  readonly versions: Map<string, string>;
}

type Request = Pick<
  DeltaDiscoveryRequest,
  'typeUrl' | 'resourceNamesSubscribe' | 'resourceNamesUnsubscribe' | 'initialResourceVersions' | 'responseNonce' | 'errorDetail'
>;

/**
 * The client's half of delta xDS as plain state, without a stream: what to send for a changed wish, after a reconnect, and in answer to
 * a response. Rules: the xDS protocol's, as dataplane tests have them.
 */
export class DeltaSubscriptions {
  private readonly types = new Map<string, TypeState>();
  private readonly lifetimes: Lifetimes | undefined;

  constructor(lifetimes?: Lifetimes) {
    this.lifetimes = lifetimes;
  }

  /** A changed wish; undefined when there is nothing to send. */
  want(typeUrl: string, names: readonly string[] | '*'): Request | undefined {
    const before = this.types.get(typeUrl);
    const wanted = names === '*' ? '*' : new Set(names);
    if (before === undefined) {
      // Nothing is wanted of a type that was never named: an empty first request would mean everything.
      if (wanted !== '*' && wanted.size === 0) return undefined;
      const state: TypeState = { wanted, versions: new Map() };
      this.types.set(typeUrl, state);
      return request(typeUrl, wanted === '*' ? ['*'] : [...wanted], []);
    }
    const old = before.wanted === '*' ? new Set(['*']) : before.wanted;
    const next = wanted === '*' ? new Set(['*']) : wanted;
    before.wanted = wanted;
    const subscribe = [...next].filter((name) => !old.has(name));
    const unsubscribe = [...old].filter((name) => !next.has(name));
    for (const name of unsubscribe) this.forget(typeUrl, before, name);
    return subscribe.length + unsubscribe.length === 0 ? undefined : request(typeUrl, subscribe, unsubscribe);
  }

  /** The first request of each type on a new stream: all names, and the versions that are known already. Without names it would mean everything. */
  resume(): Request[] {
    const named = [...this.types].filter(([, { wanted }]) => wanted === '*' || wanted.size > 0);
    return named.map(([typeUrl, { wanted, versions }]) => ({
      ...request(typeUrl, wanted === '*' ? ['*'] : [...wanted], []),
      initialResourceVersions: Object.fromEntries(versions),
    }));
  }

  /** The update that a response carries. Resources that nobody asked for are ignored. */
  read(response: DeltaDiscoveryResponse): ConfigUpdate {
    const state = this.types.get(response.typeUrl);
    const asked = (name: string): boolean =>
      state !== undefined && (state.wanted === '*' || state.wanted.has('*') || state.wanted.has(name));
    const resources: RawResource[] = [];
    const removed = response.removedResources.filter(asked);
    for (const { name, version, resource, aliases, ttl } of response.resources) {
      if (state === undefined || !asked(name)) continue;
      const ttlMs = ttl === undefined ? undefined : ttl.seconds * 1000 + ttl.nanos / 1_000_000;
      if (resource !== undefined) {
        const more = { ...(aliases.length === 0 ? {} : { aliases }), ...(ttlMs === undefined ? {} : { ttlMs }) };
        resources.push({ name, version, body: resource.value, ...more });
        state.versions.set(name, version);
        // A beat: what the client has still holds.
      } else if (ttlMs === undefined || version !== state.versions.get(name)) {
        // Without a body: what was asked for under these names does not exist.
        removed.push(name, ...aliases);
        continue;
      }
      this.lifetimes?.set(response.typeUrl, name, ttlMs);
    }
    if (state !== undefined) for (const name of removed) this.forget(response.typeUrl, state, name);
    return { typeUrl: response.typeUrl, version: response.systemVersionInfo, resources, removed, full: false };
  }

  /** The ACK, or the NACK with every reason. A refused version is forgotten, so that a reconnect asks for it again. */
  answer(response: DeltaDiscoveryResponse, rejections: readonly Rejection[]): Request {
    const state = this.types.get(response.typeUrl);
    for (const { name } of rejections) state?.versions.delete(name);
    const reply = { ...request(response.typeUrl, [], []), responseNonce: response.nonce };
    if (rejections.length === 0) return reply;
    const message = rejections.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    return { ...reply, errorDetail: { code: 3, message, details: [] } };
  }

  /** These have run out: the server is not told that they are here. */
  expire(typeUrl: string, names: readonly string[]): void {
    const state = this.types.get(typeUrl);
    if (state !== undefined) for (const name of names) state.versions.delete(name);
  }

  private forget(typeUrl: string, { versions }: TypeState, name: string): void {
    versions.delete(name);
    this.lifetimes?.set(typeUrl, name, undefined);
  }

  get wantedTypes(): ReadonlyMap<string, ReadonlySet<string> | '*'> {
    return new Map([...this.types].map(([typeUrl, { wanted }]) => [typeUrl, wanted]));
  }
}

function request(typeUrl: string, resourceNamesSubscribe: string[], resourceNamesUnsubscribe: string[]): Request {
  return {
    typeUrl,
    resourceNamesSubscribe,
    resourceNamesUnsubscribe,
    initialResourceVersions: {},
    responseNonce: '',
    errorDetail: undefined,
  };
}
