import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';

/** Beats within one time to live: one may get lost, or come while the client is behind. */
const BEATS = 3;

/** How long a client keeps resources without hearing of them (xDS `Resource.ttl`). */
export interface TimeToLive {
  readonly ttlMs: number;
  /** A beat this often says that they still hold. */
  readonly everyMs: number;
  /** Whether resources of this type run out. */
  readonly covers: (typeUrl: string) => boolean;
  /** A beat is the whole set once more, instead of names. */
  readonly repeats: boolean;
}

const TTL_FEATURE = 'xds.config.supports-resource-ttl';
/** Knows resources in a wrapper, as they always are in delta. */
const WRAPPER_FEATURE = 'xds.config.supports-resource-in-sotw';

/**
 * Undefined for a client that does not say that it knows the field (an Envoy says what `node.client_features` of its bootstrap says), or
 * when nothing is to expire.
 *
 * An Envoy 1.40 that speaks state of the world takes a beat of clusters or listeners for the word that there are none (its GrpcMuxImpl
 * leaves beats out of the set that it applies), and dies when several endpoints or routes run out at once (each watch is told of all of
 * them). So its clusters and listeners alone run out, and take endpoints and routes with them; and they are said again whole, which
 * changes nothing there.
 */
export function timeToLiveOf(ttlMs: number, stateOfTheWorld: boolean, node: ProxyNode): TimeToLive | undefined {
  const { clientFeatures = [], userAgent } = node;
  if (ttlMs <= 0 || !clientFeatures.includes(TTL_FEATURE)) return undefined;
  if (stateOfTheWorld && !clientFeatures.includes(WRAPPER_FEATURE)) return undefined;
  const repeats = stateOfTheWorld && userAgent?.name === 'envoy';
  return { ttlMs, everyMs: ttlMs / BEATS, covers: repeats ? isWhole : () => true, repeats };
}

function isWhole(typeUrl: string): boolean {
  return typeUrl === CLUSTER_TYPE_URL || typeUrl === LISTENER_TYPE_URL;
}
