import type { BalancerSpec, RingOptions, SlowStartSpec, SubsetSpec } from '@ripstop/core';
import {
  type Any,
  ClientSideWeightedRoundRobin,
  type Cluster,
  Cluster_LbPolicy,
  type Cluster_LbSubsetConfig,
  Cluster_RingHashLbConfig_HashFunction,
  type Duration,
  LeastRequest,
  LeastRequest_SelectionMethod,
  type LoadBalancingPolicy,
  Maglev,
  Random,
  RingHash,
  RingHash_HashFunction,
  RoundRobin,
  Subset,
  typeName,
  unpackAny,
} from '@ripstop/xds-api';
import { milliseconds } from '../values.ts';
import { subsetsOf } from './subsets.ts';

/** A balancer, and whether localities are chosen by their weights. */
export interface Balancing {
  readonly balancer: BalancerSpec;
  readonly localityWeighted: boolean;
  readonly subsets?: SubsetSpec | undefined;
}

/** Envoy's lb_policy with its configuration, or the first typed policy of load_balancing_policy that is known. */
export function balancingOf(message: Cluster): Balancing {
  const localityWeighted = message.commonLbConfig?.localityConfigSpecifier?.$case === 'localityWeightedLbConfig';
  const typed = message.loadBalancingPolicy;
  if (typed === undefined) return { balancer: legacyBalancer(message), localityWeighted, subsets: subsetsOf(message.lbSubsetConfig) };
  return firstKnown(typed);
}

function firstKnown({ policies }: LoadBalancingPolicy): Balancing {
  for (const { typedExtensionConfig } of policies) {
    const any = typedExtensionConfig?.typedConfig;
    const found = any === undefined ? undefined : typedBalancing(any);
    if (found !== undefined) return found;
  }
  const names = policies.map(({ typedExtensionConfig }) => typeName(typedExtensionConfig?.typedConfig?.typeUrl ?? ''));
  throw new Error(`load_balancing_policy: none of ${names.join(', ') || 'no policies'} is supported`);
}

function legacyBalancer(message: Cluster): BalancerSpec {
  const config = message.lbConfig;
  const hashing = message.commonLbConfig?.consistentHashingLbConfig;
  const useHostname = hashing?.useHostnameForHashing ?? false;
  const balanceFactor = balanceFactorOf(hashing?.hashBalanceFactor);
  switch (message.lbPolicy) {
    case Cluster_LbPolicy.LEAST_REQUEST: {
      const least = config?.$case === 'leastRequestLbConfig' ? config.value : undefined;
      return {
        kind: 'least_request',
        choiceCount: choices(least?.choiceCount),
        activeRequestBias: least?.activeRequestBias?.defaultValue,
        slowStart: slowStartOf(least?.slowStartConfig),
      };
    }
    case Cluster_LbPolicy.RANDOM:
      return { kind: 'random' };
    case Cluster_LbPolicy.RING_HASH: {
      const ring = config?.$case === 'ringHashLbConfig' ? config.value : undefined;
      const murmur = ring?.hashFunction === Cluster_RingHashLbConfig_HashFunction.MURMUR_HASH_2;
      return { kind: 'ring_hash', useHostname, balanceFactor, ...ringOptions(ring?.minimumRingSize, ring?.maximumRingSize, murmur) };
    }
    case Cluster_LbPolicy.MAGLEV:
      return {
        kind: 'maglev',
        tableSize: tableSize(config?.$case === 'maglevLbConfig' ? config.value.tableSize : undefined),
        useHostname,
        balanceFactor,
      };
    default:
      return {
        kind: 'round_robin',
        slowStart: slowStartOf(config?.$case === 'roundRobinLbConfig' ? config.value.slowStartConfig : undefined),
      };
  }
}

function typedBalancing(any: Any): Balancing | undefined {
  switch (typeName(any.typeUrl)) {
    case RoundRobin.$type: {
      const { slowStartConfig, localityLbConfig } = unpackAny(RoundRobin, any);
      return { balancer: { kind: 'round_robin', slowStart: slowStartOf(slowStartConfig) }, localityWeighted: byWeight(localityLbConfig) };
    }
    case ClientSideWeightedRoundRobin.$type:
      return { balancer: loadWeights(unpackAny(ClientSideWeightedRoundRobin, any)), localityWeighted: false };
    case Random.$type:
      return { balancer: { kind: 'random' }, localityWeighted: byWeight(unpackAny(Random, any).localityLbConfig) };
    case LeastRequest.$type: {
      const least = unpackAny(LeastRequest, any);
      return {
        balancer: {
          kind: 'least_request',
          choiceCount: choices(least.choiceCount),
          activeRequestBias: least.activeRequestBias?.defaultValue,
          fullScan: least.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN,
          slowStart: slowStartOf(least.slowStartConfig),
        },
        localityWeighted: byWeight(least.localityLbConfig),
      };
    }
    case RingHash.$type: {
      const ring = unpackAny(RingHash, any);
      const hashing = ring.consistentHashingLbConfig;
      const balanceFactor = balanceFactorOf(hashing?.hashBalanceFactor ?? ring.hashBalanceFactor);
      const useHostname = hashing?.useHostnameForHashing ?? ring.useHostnameForHashing;
      const murmur = ring.hashFunction === RingHash_HashFunction.MURMUR_HASH_2;
      return {
        balancer: { kind: 'ring_hash', useHostname, balanceFactor, ...ringOptions(ring.minimumRingSize, ring.maximumRingSize, murmur) },
        localityWeighted: ring.localityWeightedLbConfig !== undefined,
      };
    }
    case Maglev.$type: {
      const table = unpackAny(Maglev, any);
      const hashing = table.consistentHashingLbConfig;
      const balanceFactor = balanceFactorOf(hashing?.hashBalanceFactor);
      const useHostname = hashing?.useHostnameForHashing ?? false;
      return {
        balancer: { kind: 'maglev', tableSize: tableSize(table.tableSize), useHostname, balanceFactor },
        localityWeighted: table.localityWeightedLbConfig !== undefined,
      };
    }
    case Subset.$type: {
      const subset = unpackAny(Subset, any);
      if (subset.subsetLbPolicy === undefined) throw new Error('the subset policy names no subset_lb_policy');
      // The messages differ in their names only.
      return { ...firstKnown(subset.subsetLbPolicy), subsets: subsetsOf(subset as unknown as Cluster_LbSubsetConfig) };
    }
    default:
      return undefined;
  }
}

function loadWeights(message: ClientSideWeightedRoundRobin): BalancerSpec {
  if (message.enableOobLoadReport === true) throw new Error('enable_oob_load_report is not supported; reports of responses are');
  return {
    kind: 'load_weighted',
    blackoutMs: milliseconds(message.blackoutPeriod, 10_000),
    expirationMs: milliseconds(message.weightExpirationPeriod, 180_000),
    updateMs: Math.max(100, milliseconds(message.weightUpdatePeriod, 1000)),
    errorPenalty: message.errorUtilizationPenalty ?? 1,
    metrics: message.metricNamesForComputingUtilization,
  };
}

function balanceFactorOf(percent: number | undefined): number | undefined {
  if (percent !== undefined && percent < 100) throw new Error(`hash_balance_factor is ${percent}; it must be at least 100`);
  return percent;
}

function byWeight(config: { readonly localityConfigSpecifier: { readonly $case: string } | undefined } | undefined): boolean {
  return config?.localityConfigSpecifier?.$case === 'localityWeightedLbConfig';
}

function choices(count: number | undefined): number {
  if (count !== undefined && count < 2) throw new Error(`choice_count is ${count}; it must be at least 2`);
  return count ?? 2;
}

const LARGEST_RING = 8_388_608;

function ringOptions(minimum: number | undefined, maximum: number | undefined, murmur: boolean): RingOptions {
  const minimumRingSize = minimum ?? 1024;
  const maximumRingSize = maximum ?? LARGEST_RING;
  if (minimumRingSize > maximumRingSize || maximumRingSize > LARGEST_RING)
    throw new Error(
      `ring sizes ${minimumRingSize} to ${maximumRingSize}: the minimum must not exceed the maximum, nor that ${LARGEST_RING}`,
    );
  return { minimumRingSize, maximumRingSize, hashFunction: murmur ? 'murmur_hash_2' : 'xx_hash' };
}

const LARGEST_TABLE = 5_000_011;

function tableSize(size = 65_537): number {
  if (size > LARGEST_TABLE || !isPrime(size)) throw new Error(`table_size is ${size}; it must be a prime of at most ${LARGEST_TABLE}`);
  return size;
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

interface SlowStartMessage {
  readonly slowStartWindow: Duration | undefined;
  readonly aggression: { readonly defaultValue: number } | undefined;
  readonly minWeightPercent: { readonly value: number } | undefined;
}

function slowStartOf(message: SlowStartMessage | undefined): SlowStartSpec | undefined {
  const windowMs = milliseconds(message?.slowStartWindow, 0);
  if (message === undefined || windowMs === 0) return undefined;
  return {
    windowMs,
    aggression: message.aggression?.defaultValue ?? 1,
    minimumShare: (message.minWeightPercent?.value ?? 10) / 100,
  };
}
