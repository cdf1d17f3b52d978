import type { Patch } from '../../push/envoy-filters.ts';

/** How a list of things by name is patched. */
export interface Listed<T> {
  /** The patch names one of them. */
  readonly names: (patch: Patch) => boolean;
  readonly matches: (item: T, patch: Patch) => boolean;
  readonly merge?: (item: T, patch: Patch) => T;
}

/** Adds, inserts, replaces and removes, in the order of the patches; then merges (istiod: patchHTTPFilters and its like). */
export function patchedList<T extends object>(items: readonly T[], patches: readonly Patch[], { names, matches, merge }: Listed<T>): T[] {
  let list = [...items];
  for (const patch of patches) {
    const { operation } = patch;
    const value = patch.value as T | undefined;
    const at = list.findIndex((item) => matches(item, patch));
    if (operation === 'REMOVE') {
      if (names(patch)) list = list.filter((item) => !matches(item, patch));
    } else if (value === undefined) continue;
    else if (operation === 'ADD' || (operation === 'INSERT_AFTER' && !names(patch))) list.push(value);
    else if (operation === 'INSERT_FIRST' || (operation === 'INSERT_BEFORE' && !names(patch))) list.unshift(value);
    else if (at !== -1 && operation === 'INSERT_AFTER') list.splice(at + 1, 0, value);
    else if (at !== -1 && operation === 'INSERT_BEFORE') list.splice(at, 0, value);
    else if (at !== -1 && operation === 'REPLACE' && names(patch)) list[at] = value;
  }
  if (merge === undefined) return list;
  return list.map((item) =>
    patches.reduce((merged, patch) => (patch.operation === 'MERGE' && matches(merged, patch) ? merge(merged, patch) : merged), item),
  );
}
