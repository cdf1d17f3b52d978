/**
 * Where configuration comes from over the wire: one ADS stream, hosts on demand, and the last good state on disk. It hands bytes over
 * (`ConfigSource` of `core`); `compile` reads them.
 */

export {
  AdsSource,
  type AdsSourceOptions,
  type AdsState,
  createAdsSource,
  type NodeDescription,
  type WorkloadHealth,
} from './ads-source.ts';
export { CachedSource, type CachedSourceOptions, createCachedSource } from './cached-source.ts';
export { DeltaSubscriptions } from './delta-subscriptions.ts';
export { HostSubscriptions, type HostSubscriptionsEnv } from './host-subscriptions.ts';
