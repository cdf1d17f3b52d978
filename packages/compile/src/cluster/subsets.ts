import type { SubsetFallback, SubsetSelector, SubsetSpec } from '@ripstop/core';
import {
  type Cluster_LbSubsetConfig,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from '@ripstop/xds-api';

const FALLBACKS = new Map<number, SubsetFallback>([
  [Fallback.ANY_ENDPOINT, 'ANY_ENDPOINT'],
  [Fallback.DEFAULT_SUBSET, 'DEFAULT_SUBSET'],
]);
const SELECTOR_FALLBACKS = new Map<number, SubsetSelector['fallback']>([
  [SelectorFallback.NO_FALLBACK, 'NO_FALLBACK'],
  [SelectorFallback.ANY_ENDPOINT, 'ANY_ENDPOINT'],
  [SelectorFallback.DEFAULT_SUBSET, 'DEFAULT_SUBSET'],
  [SelectorFallback.KEYS_SUBSET, 'KEYS_SUBSET'],
]);

/** Envoy's lb_subset_config, also as the typed policy has it. Undefined when there is no selector: then it does nothing. */
export function subsetsOf(message: Cluster_LbSubsetConfig | undefined): SubsetSpec | undefined {
  if (message === undefined || message.subsetSelectors.length === 0) return undefined;
  if (message.scaleLocalityWeight) throw new Error('lb_subset_config: scale_locality_weight is not supported');
  return {
    fallback: FALLBACKS.get(message.fallbackPolicy) ?? 'NO_FALLBACK',
    defaultSubset: message.defaultSubset ?? {},
    selectors: message.subsetSelectors.map(selectorOf),
    panicModeAny: message.panicModeAny,
    listAsAny: message.listAsAny,
    localityWeightAware: message.localityWeightAware,
    fallbackList: message.metadataFallbackPolicy === MetadataFallback.FALLBACK_LIST,
  };
}

function selectorOf(message: Cluster_LbSubsetConfig['subsetSelectors'][number]): SubsetSelector {
  const { fallbackKeysSubset, singleHostPerSubset } = message;
  const keys = [...new Set(message.keys)].sort();
  const fallback = SELECTOR_FALLBACKS.get(message.fallbackPolicy);
  const name = `lb_subset_config: the selector of ${keys.join(', ') || 'no keys'}`;
  if (singleHostPerSubset && keys.length !== 1) throw new Error(`${name}: single_host_per_subset needs exactly one key`);
  if (fallback === 'KEYS_SUBSET') {
    if (fallbackKeysSubset.length === 0) throw new Error(`${name}: fallback_keys_subset is empty`);
    if (!fallbackKeysSubset.every((key) => keys.includes(key))) throw new Error(`${name}: fallback_keys_subset names other keys`);
    if (new Set(fallbackKeysSubset).size === keys.length) throw new Error(`${name}: fallback_keys_subset must leave a key out`);
  }
  return { keys, singleHost: singleHostPerSubset, fallback, fallbackKeys: fallbackKeysSubset };
}
