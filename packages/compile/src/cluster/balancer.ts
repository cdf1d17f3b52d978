import {
  type BalancerSpec,
  type OutOfBandSpec,
  type RingOptions,
  type SlowStartSpec,
  type SubsetSpec,
  ZONE_AWARE_DEFAULT,
  type ZoneAwareSpec,
} from '@ripstop/core';
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
  type LocalityLbConfig,
  type LocalityLbConfig_ZoneAwareLbConfig,
  Maglev,
  Random,
  RingHash,
  RingHash_HashFunction,
  RoundRobin,
  SlowStartConfig,
  Subset,
  typeName,
  unpackAny,
} from '@ripstop/xds-api';
import { rawField, rawFields } from '../raw-fields.ts';
import { milliseconds } from '../values.ts';
import { subsetsOf } from './subsets.ts';

/** A balancer, and whether localities are chosen by their weights. */
export interface Balancing {
  readonly balancer: BalancerSpec;
  readonly localityWeighted: boolean;
  readonly zoneAware?: ZoneAwareSpec | undefined;
  readonly subsets?: SubsetSpec | undefined;
}

/** Envoy's lb_policy with its configuration, or the first typed policy of load_balancing_policy that is known. */
export function balancingOf(message: Cluster): Balancing {
  const localityWeighted = message.commonLbConfig?.localityConfigSpecifier?.$case === 'localityWeightedLbConfig';
  const typed = message.loadBalancingPolicy;
  if (typed === undefined)
    return {
      balancer: legacyBalancer(message),
      localityWeighted,
      zoneAware: legacyZones(message),
      subsets: subsetsOf(message.lbSubsetConfig),
    };
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
      return { balancer: { kind: 'round_robin', slowStart: slowStartOf(slowStartConfig) }, ...localitiesOf(localityLbConfig, any, 2) };
    }
    case ClientSideWeightedRoundRobin.$type:
      return { balancer: loadWeights(unpackAny(ClientSideWeightedRoundRobin, any), any.value), localityWeighted: false };
    case Random.$type:
      return { balancer: { kind: 'random' }, ...localitiesOf(unpackAny(Random, any).localityLbConfig, any, 1) };
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
        ...localitiesOf(least.localityLbConfig, any, 4),
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

/** Numbers of fields that are younger than the message that we generate. */
const SLOW_START_CONFIG = 8;
const OOB_REPORTING_CONFIG = 9;
const OOB_PERIOD_MS = 10_000;

/** `bytes`: the message as it came. */
function loadWeights(message: ClientSideWeightedRoundRobin, bytes: Uint8Array): BalancerSpec {
  const [slowStart] = rawField(bytes, SLOW_START_CONFIG);
  return {
    kind: 'load_weighted',
    blackoutMs: milliseconds(message.blackoutPeriod, 10_000),
    expirationMs: milliseconds(message.weightExpirationPeriod, 180_000),
    updateMs: Math.max(100, milliseconds(message.weightUpdatePeriod, 1000)),
    errorPenalty: message.errorUtilizationPenalty ?? 0,
    metrics: message.metricNamesForComputingUtilization,
    slowStart: slowStart === undefined ? undefined : slowStartOf(SlowStartConfig.decode(slowStart)),
    outOfBand: message.enableOobLoadReport === true ? outOfBandOf(message, bytes) : undefined,
  };
}

function outOfBandOf({ oobReportingPeriod }: ClientSideWeightedRoundRobin, bytes: Uint8Array): OutOfBandSpec {
  const [config = new Uint8Array()] = rawField(bytes, OOB_REPORTING_CONFIG);
  const [authority] = rawField(config, 2);
  return {
    periodMs: milliseconds(oobReportingPeriod, 0) || OOB_PERIOD_MS,
    port: rawFields(config).find(({ number }) => number === 1)?.value ?? 0,
    authority: authority === undefined ? '' : new TextDecoder().decode(authority),
  };
}

function balanceFactorOf(percent: number | undefined): number | undefined {
  if (percent !== undefined && percent < 100) throw new Error(`hash_balance_factor is ${percent}; it must be at least 100`);
  return percent;
}

/** `field`: the number of locality_lb_config in the policy, for what is younger than the messages that we generate. */
function localitiesOf(config: LocalityLbConfig | undefined, policy: Any, field: number): Pick<Balancing, 'localityWeighted' | 'zoneAware'> {
  const specifier = config?.localityConfigSpecifier;
  if (specifier?.$case !== 'zoneAwareLbConfig') return { localityWeighted: specifier?.$case === 'localityWeightedLbConfig' };
  const [zones = new Uint8Array()] = rawField(policy.value, field).flatMap((bytes) => rawField(bytes, 1));
  const [force] = rawField(zones, FORCE_LOCAL_ZONE);
  const basis = rawFields(zones).find(({ number }) => number === LOCALITY_BASIS)?.value ?? 0;
  if (basis > BY_WEIGHT) throw new Error(`locality_basis ${basis} is not supported; HEALTHY_HOSTS_NUM and HEALTHY_HOSTS_WEIGHT are`);
  const zoneAware = {
    ...zonesOf(specifier.value),
    byWeight: basis === BY_WEIGHT,
    forceLocalMinSize: force === undefined ? undefined : forcedSize(force),
  };
  return { localityWeighted: false, zoneAware };
}

const FORCE_LOCAL_ZONE = 5;
const LOCALITY_BASIS = 6;
const BY_WEIGHT = 1;

/** min_size is a wrapped number, 1 by default. */
function forcedSize(force: Uint8Array): number {
  const [wrapped] = rawField(force, 1);
  return wrapped === undefined ? 1 : (rawFields(wrapped)[0]?.value ?? 0);
}

function legacyZones({ commonLbConfig }: Cluster): ZoneAwareSpec | undefined {
  const specifier = commonLbConfig?.localityConfigSpecifier;
  return specifier?.$case === 'zoneAwareLbConfig' ? zonesOf(specifier.value) : undefined;
}

function zonesOf({ routingEnabled, minClusterSize, failTrafficOnPanic }: LocalityLbConfig_ZoneAwareLbConfig): ZoneAwareSpec {
  return {
    routingEnabled: routingEnabled?.value ?? ZONE_AWARE_DEFAULT.routingEnabled,
    minClusterSize: minClusterSize ?? ZONE_AWARE_DEFAULT.minClusterSize,
    failTrafficOnPanic,
  };
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
