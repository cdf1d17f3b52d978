import type { ConfigUpdate, RawResource, Rejection } from '@ripstop/core';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@ripstop/xds-api';

/** What the client wants and has of one type. */
interface TypeState {
  wanted: ReadonlySet<string> | '*';
  /** Versions of what was received; told to the server after a reconnect. */
  readonly versions: Map<string, string>;
  /** True once this stream has named the type. */
  announced: boolean;
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

  /** A changed wish; undefined when there is nothing to send. */
  want(typeUrl: string, names: readonly string[] | '*'): Request | undefined {
    const before = this.types.get(typeUrl);
    const wanted = names === '*' ? '*' : new Set(names);
    if (before === undefined) {
      // Nothing is wanted of a type that was never named: an empty first request would mean everything.
      if (wanted !== '*' && wanted.size === 0) return undefined;
      const state: TypeState = { wanted, versions: new Map(), announced: true };
      this.types.set(typeUrl, state);
      return request(typeUrl, wanted === '*' ? ['*'] : [...wanted], []);
    }
    const old = before.wanted === '*' ? new Set(['*']) : before.wanted;
    const next = wanted === '*' ? new Set(['*']) : wanted;
    before.wanted = wanted;
    const subscribe = [...next].filter((name) => !old.has(name));
    const unsubscribe = [...old].filter((name) => !next.has(name));
    for (const name of unsubscribe) before.versions.delete(name);
    return subscribe.length + unsubscribe.length === 0 ? undefined : request(typeUrl, subscribe, unsubscribe);
  }

  /** The first request of each type on a new stream: all names, and the versions that are known already. */
  resume(): Request[] {
    return [...this.types].map(([typeUrl, { wanted, versions }]) => ({
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
    for (const { name, version, resource, aliases } of response.resources) {
      if (!asked(name)) continue;
      // Without a body: what was asked for under these names does not exist.
      if (resource === undefined) removed.push(name, ...aliases);
      else {
        resources.push({ name, version, body: resource.value, ...(aliases.length === 0 ? {} : { aliases }) });
        state?.versions.set(name, version);
      }
    }
    for (const name of removed) state?.versions.delete(name);
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
