import {
  type ChoosingNumber,
  compileHeaderMutations,
  compileWeightedClusters,
  criteriaOf,
  type Exchange,
  type ForwardAction,
  mergeCriteria,
  type WeightedCluster,
} from '@ripstop/core';
import type { RouteAction } from '@ripstop/xds-api';
import { operationsOf } from '../header-operations.ts';
import { filterMetadata } from '../values.ts';
import type { RouteEnv } from './route-env.ts';

export interface ClusterChoice {
  readonly choose: (x: Exchange) => string | undefined;
  readonly names: readonly string[];
  readonly weights?: ForwardAction['weights'];
}

export function clusterChoice(action: RouteAction, { random, clock }: RouteEnv, hash: ForwardAction['hash']): ClusterChoice {
  const specifier = action.clusterSpecifier;
  switch (specifier?.$case) {
    case 'cluster': {
      const name = specifier.value;
      return { choose: () => name, names: [name] };
    }
    case 'clusterHeader': {
      const header = specifier.value.toLowerCase();
      return { choose: (x) => x.request.headerLines(header)[0] || undefined, names: [] };
    }
    case 'weightedClusters': {
      const own = criteriaOf(filterMetadata(action.metadataMatch, 'envoy.lb'));
      const entries: WeightedCluster[] = specifier.value.clusters.map((entry) => ({
        cluster: entry.name,
        weight: entry.weight ?? 0,
        headers: compileHeaderMutations([operationsOf(entry)], clock),
        criteria: mergeCriteria(own, criteriaOf(filterMetadata(entry.metadataMatch, 'envoy.lb'))),
      }));
      const choose = compileWeightedClusters(entries, random, choosingNumber(specifier.value.randomValueSpecifier, hash));
      const weights = entries.map(({ cluster, weight }) => ({ cluster, weight }));
      return { choose, names: entries.map((entry) => entry.cluster), weights };
    }
    default:
      throw new Error(`cluster specifier ${specifier?.$case ?? 'missing'} is not supported`);
  }
}

type RandomValueSpecifier = Extract<RouteAction['clusterSpecifier'], { $case: 'weightedClusters' }>['value']['randomValueSpecifier'];

/** What chooses among weighted clusters in the place of chance. */
function choosingNumber(specifier: RandomValueSpecifier, hash: ForwardAction['hash']): ChoosingNumber | undefined {
  if (specifier === undefined) return undefined;
  if (specifier.$case === 'useHashPolicy') {
    if (specifier.value !== true || hash === undefined) return undefined;
    return (x) => {
      hash(x);
      return x.hash;
    };
  }
  const name = specifier.value.toLowerCase();
  return (x) => {
    const text = x.request.header(name);
    return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  };
}
