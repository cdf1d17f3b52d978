/** What happens to requests that no subset fits. */
export type SubsetFallback = 'NO_FALLBACK' | 'ANY_ENDPOINT' | 'DEFAULT_SUBSET';

/** Subsets by these metadata keys: one for each combination of values that a host has. */
export interface SubsetSelector {
  /** Sorted. */
  readonly keys: readonly string[];
  readonly singleHost: boolean;
  /** Of requests that ask for these keys; KEYS_SUBSET asks again with fewer. Absent: as the cluster says. */
  readonly fallback?: SubsetFallback | 'KEYS_SUBSET' | undefined;
  readonly fallbackKeys: readonly string[];
}

/** Envoy's LbSubsetConfig, decoded. */
export interface SubsetSpec {
  readonly fallback: SubsetFallback;
  readonly defaultSubset: Readonly<Record<string, unknown>>;
  readonly selectors: readonly SubsetSelector[];
  /** When the fallback finds no host, any host is taken. */
  readonly panicModeAny: boolean;
  /** A list in a host's metadata stands for each of its values. */
  readonly listAsAny: boolean;
  /** Locality weights hold within subsets. */
  readonly localityWeightAware: boolean;
  /** `fallback_list` in the criteria names alternatives, tried in order. */
  readonly fallbackList: boolean;
}
