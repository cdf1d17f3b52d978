import type { ProxyNode } from '../model/proxy-node.ts';

/** Beats within one time to live: one may get lost, or come while the client is behind. */
const BEATS = 3;

/** How long a client keeps resources without hearing of them (xDS `Resource.ttl`). */
export interface TimeToLive {
  readonly ttlMs: number;
  /** A beat this often says that they still hold. */
  readonly everyMs: number;
}

/** Undefined for a client that does not know the field, or when nothing is to expire. State of the world needs the wrapper as well. */
export function timeToLiveOf(ttlMs: number, stateOfTheWorld: boolean, { clientFeatures = [] }: ProxyNode): TimeToLive | undefined {
  const knows = (feature: string): boolean => clientFeatures.includes(`xds.config.supports-resource-${feature}`);
  if (ttlMs <= 0 || !knows('ttl') || (stateOfTheWorld && !knows('in-sotw'))) return undefined;
  return { ttlMs, everyMs: ttlMs / BEATS };
}
