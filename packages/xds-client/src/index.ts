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
