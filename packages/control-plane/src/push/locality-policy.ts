import type { LoadBalancerSettings } from '@ripstop/istio-api';

/** localityLbSetting of a DestinationRule or of the mesh. */
export interface LocalitySetting {
  readonly enabled?: boolean;
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
  readonly failoverPriority?: readonly string[];
}

/** The fields of `trafficPolicy.loadBalancer` that are about places. */
export interface LocalityBalancing {
  readonly localityLbSetting?: LocalitySetting;
  readonly zoneAwareLbSetting?: LocalitySetting;
}

/** How a client's calls prefer near endpoints; undefined = they do not. */
export interface LocalityPolicy {
  readonly distribute: NonNullable<LocalitySetting['distribute']>;
  readonly failover: NonNullable<LocalitySetting['failover']>;
  /** Labels that an endpoint should share with the client, the most important first. */
  readonly failoverPriority: readonly string[];
  /** What the cluster says about it: weights by locality, zone awareness, or nothing. */
  readonly config: 'weighted' | 'zone-aware' | 'none';
}

export const REGION_LABEL = 'topology.kubernetes.io/region';
export const ZONE_LABEL = 'topology.kubernetes.io/zone';
export const SUBZONE_LABEL = 'topology.istio.io/subzone';
export const NETWORK_LABEL = 'topology.istio.io/network';
export const HOSTNAME_LABEL = 'kubernetes.io/hostname';

/** Kubernetes' trafficDistribution as Istio reads it. */
const DISTRIBUTIONS: Readonly<Record<string, readonly string[]>> = {
  PreferClose: [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL],
  PreferSameZone: [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL],
  PreferSameNode: [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL, SUBZONE_LABEL, HOSTNAME_LABEL],
};

/** Health says when calls spill over to other places, so the unhealthy are told about, and are not called in panic. */
export function spillsByHealth(trafficDistribution: string): boolean {
  return DISTRIBUTIONS[trafficDistribution] !== undefined;
}

export interface LocalityInput {
  readonly balancer: (LoadBalancerSettings & LocalityBalancing) | undefined;
  /** Ejections are on: without them a far endpoint would never be needed. */
  readonly outlierDetection: boolean;
  readonly trafficDistribution: string;
  readonly mesh: LocalityBalancing;
}

/**
 * Precedence: the rule's zone awareness, the rule's setting, the Service's trafficDistribution, the mesh's zone awareness, the mesh's
 * setting (Istio: GetLocalityLbSetting). Failover needs outlier detection; distribute, trafficDistribution and zone awareness do not.
 */
export function localityPolicy({ balancer, outlierDetection, trafficDistribution, mesh }: LocalityInput): LocalityPolicy | undefined {
  const zoneAware = balancer?.zoneAwareLbSetting;
  if (isOn(zoneAware)) return zoneAwarePolicy(zoneAware);
  const own = balancer?.localityLbSetting;
  if (own !== undefined) return settingPolicy(own, outlierDetection);
  const labels = DISTRIBUTIONS[trafficDistribution];
  if (labels !== undefined) return { distribute: [], failover: [], failoverPriority: labels, config: 'weighted' };
  if (isOn(mesh.zoneAwareLbSetting)) return zoneAwarePolicy(mesh.zoneAwareLbSetting);
  return settingPolicy(mesh.localityLbSetting ?? {}, outlierDetection);
}

function isOn(setting: LocalitySetting | undefined): setting is LocalitySetting {
  return setting !== undefined && setting.enabled !== false;
}

function zoneAwarePolicy({ failover = [], failoverPriority = [REGION_LABEL] }: LocalitySetting): LocalityPolicy {
  return { distribute: [], failover, failoverPriority, config: 'zone-aware' };
}

/** Weights count only where the setting says something about places (Istio: LocalityLBSettings.ApplyToCluster). */
function settingPolicy(setting: LocalitySetting, outlierDetection: boolean): LocalityPolicy | undefined {
  const { enabled = true, distribute = [], failover = [], failoverPriority = [] } = setting;
  if (!enabled || (distribute.length === 0 && !outlierDetection)) return undefined;
  const told = distribute.length + failover.length + failoverPriority.length > 0;
  return { distribute, failover, failoverPriority, config: told ? 'weighted' : 'none' };
}
