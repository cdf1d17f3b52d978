import type { Any } from '@ripstop/xds-api';
import type { Patch } from '../../push/envoy-filters.ts';
import { mergeAny, typedConfigOf } from './merge.ts';

interface NamedFilter {
  readonly name: string;
  readonly configType?: { readonly $case: string; readonly value: unknown } | undefined;
}

/** A filter keeps its name unless the patch has another; its configuration is merged with the patch's. */
export function mergeFilter<F extends NamedFilter>(filter: F, { value, json, replacesLists }: Patch): F {
  const patch = value as NamedFilter | undefined;
  if (patch === undefined || filter.configType?.$case !== 'typedConfig') return filter;
  const configType =
    patch.configType?.$case === 'typedConfig'
      ? {
          $case: 'typedConfig',
          value: mergeAny(filter.configType.value as Any, patch.configType.value as Any, typedConfigOf(json), replacesLists),
        }
      : filter.configType;
  return { ...filter, name: patch.name === '' ? filter.name : patch.name, configType };
}
