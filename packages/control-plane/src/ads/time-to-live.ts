import type { ProxyNode } from '../model/proxy-node.ts';

/** Beats within one time to live: one may get lost, or come while the client is behind. */
const BEATS = 3;

/** How long a client keeps resources without hearing of them (xDS `Resource.ttl`). */
export interface TimeToLive {
  readonly ttlMs: number;
  /** A beat this often says that they still hold. */
  readonly everyMs: number;
}

/**
 * Undefined for a client that does not say that it knows the field (an Envoy says what `node.client_features` of its bootstrap says), or
 * when nothing is to expire. Delta only: an Envoy 1.40 that speaks state of the world dies when its resources run out.
 */
export function timeToLiveOf(ttlMs: number, stateOfTheWorld: boolean, { clientFeatures = [] }: ProxyNode): TimeToLive | undefined {
  if (ttlMs <= 0 || stateOfTheWorld || !clientFeatures.includes('xds.config.supports-resource-ttl')) return undefined;
  return { ttlMs, everyMs: ttlMs / BEATS };
}
