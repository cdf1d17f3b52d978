import { NOWHERE } from '../model/locality-label.ts';
import type { Caller } from '../model/proxy-node.ts';
import type { EndpointLocality, ServiceEndpoint } from '../push/endpoints.ts';
import { HOSTNAME_LABEL, type LocalityPolicy, NETWORK_LABEL, REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL } from '../push/locality-policy.ts';

/** Endpoints of one place that one client reaches for at the same time. */
export interface LocalityGroup {
  readonly locality: EndpointLocality;
  readonly priority: number;
  /** Undefined: nobody of use is there, and nobody shares calls out to it. */
  readonly weight: number | undefined;
  readonly endpoints: readonly ServiceEndpoint[];
}

/**
 * Endpoints by place, with priorities and weights as this client has them (Istio: loadbalancer.ApplyLocalityLoadBalancer). Endpoints that
 * are not of use to it (`isUsed`) leave their place behind.
 */
export function localityGroups(
  endpoints: readonly ServiceEndpoint[],
  node: Caller,
  policy: LocalityPolicy | undefined,
  isUsed: (endpoint: ServiceEndpoint) => boolean,
): LocalityGroup[] {
  const alike = (): number => 0;
  if (policy === undefined) return group(endpoints, alike, isUsed);
  if (policy.distribute.length > 0) return distributed(group(endpoints, alike, isUsed), node, policy.distribute);
  if (policy.failoverPriority.length === 0) return compact(group(endpoints, byPlace(node, policy), isUsed));
  return compact(group(endpoints, byLabels(node, policy), isUsed).filter((entry) => entry.endpoints.length > 0));
}

function group(
  endpoints: readonly ServiceEndpoint[],
  priorityOf: (endpoint: ServiceEndpoint) => number,
  isUsed: (endpoint: ServiceEndpoint) => boolean,
): LocalityGroup[] {
  const groups = new Map<string, { locality: EndpointLocality; priority: number; endpoints: ServiceEndpoint[] }>();
  for (const endpoint of endpoints) {
    const priority = priorityOf(endpoint);
    const key = `${placeOf(endpoint)} ${priority}`;
    let known = groups.get(key);
    if (known === undefined) {
      known = { locality: endpoint.locality, priority, endpoints: [] };
      groups.set(key, known);
    }
    if (isUsed(endpoint)) known.endpoints.push(endpoint);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => ({ ...found, weight: weightOf(found.endpoints) }));
}

function weightOf(endpoints: readonly ServiceEndpoint[]): number | undefined {
  return endpoints.length === 0 ? undefined : endpoints.reduce((sum, { weight }) => sum + weight, 0);
}

/** Endpoints of one place have the same. */
export function placeOf({ place, locality: { region, zone, subZone } }: ServiceEndpoint): string {
  if (place !== undefined) return place;
  return region === '' && zone === '' && subZone === '' ? '' : `${region}/${zone}/${subZone}`;
}

/** 0 here, 1 in the zone, 2 in the region, 3 elsewhere; a failover of the client's region puts its target before the others. */
function byPlace({ locality }: Caller, { failover }: LocalityPolicy): (endpoint: ServiceEndpoint) => number {
  const target = failover.find(({ from }) => from === locality.region)?.to;
  return ({ locality: { region, zone, subZone } }) => {
    if (region !== locality.region) return target === undefined || region === target ? 3 : 4;
    if (zone !== locality.zone) return 2;
    return subZone === locality.subZone ? 0 : 1;
  };
}

/**
 * The more labels in a row an endpoint shares with the client, the nearer it is. `label=value` asks for that value. Another network, asked
 * for first, puts an endpoint behind all of ours (Istio: applyFailoverPriorityPerLocality).
 */
function byLabels(node: Caller, { failoverPriority }: LocalityPolicy): (endpoint: ServiceEndpoint) => number {
  const wanted = failoverPriority.map((entry) => {
    const [label, value] = entry.split('=', 2) as [string, string?];
    const { NODE_NAME: hostname, NETWORK: network } = node.metadata;
    return { label, value: value ?? labelOf(label, node.labels, node.locality, textOr(hostname), textOr(network)) };
  });
  return ({ labels, locality, nodeName, isGateway }) => {
    // A gateway of another network has labels of that network alone, wherever it is listed.
    const place = isGateway === true ? NOWHERE : locality;
    const differs = ({ label, value }: (typeof wanted)[number]): boolean => labelOf(label, labels, place, nodeName) !== value;
    const far = wanted[0]?.label === NETWORK_LABEL && differs(wanted[0]);
    const matched = wanted.findIndex((entry, index) => !(far && index === 0) && differs(entry));
    return (matched === -1 ? 0 : wanted.length - matched) + (far ? wanted.length : 0);
  };
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Istio's AugmentLabels: where an endpoint runs counts as labels of it, and stands over labels of the same names. */
function labelOf(
  label: string,
  labels: Readonly<Record<string, string>>,
  locality: EndpointLocality,
  hostname: string,
  network = '',
): string {
  const own = labels[label] ?? '';
  switch (label) {
    case REGION_LABEL:
      return locality.region || own;
    case ZONE_LABEL:
      return locality.zone || own;
    case SUBZONE_LABEL:
      return locality.subZone || own;
    case HOSTNAME_LABEL:
      return hostname || own;
    case NETWORK_LABEL:
      return network || own;
    default:
      return own;
  }
}

/** Whether an endpoint has all labels of a subset; those of its place are among its labels. */
export function isOfSubset(subset: Readonly<Record<string, string>> | undefined, endpoint: ServiceEndpoint): boolean {
  if (subset === undefined) return true;
  const { labels, locality, nodeName } = endpoint;
  for (const name in subset) if (labelOf(name, labels, locality, nodeName) !== subset[name]) return false;
  return true;
}

/** Priorities without gaps: Envoy refuses an assignment that leaves one out. */
function compact(groups: readonly LocalityGroup[]): LocalityGroup[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups.map((entry) => ({ ...entry, priority: used.indexOf(entry.priority) }));
}

/** Shares by place, for a client that a `from` matches; a share of several places is split by their endpoints. */
function distributed(groups: readonly LocalityGroup[], node: Caller, rules: LocalityPolicy['distribute']): LocalityGroup[] {
  const rule = rules.find(({ from = '' }) => localityMatches(node.locality, from));
  if (rule === undefined) return [...groups];
  const shares = Object.entries(rule.to ?? {});
  const total = (pattern: string): number =>
    groups.filter(({ locality }) => localityMatches(locality, pattern)).reduce((sum, { weight = 1 }) => sum + weight, 0);
  return groups.map((entry) => {
    const share = shares.find(([pattern]) => localityMatches(entry.locality, pattern));
    // Places outside the rule stay, without anybody to call.
    if (share === undefined) return { ...entry, endpoints: [] };
    const [pattern, percent] = share;
    return { ...entry, weight: Math.max(1, Math.ceil(((entry.weight ?? 1) * percent) / total(pattern))) };
  });
}

/** `region/zone/subzone`, each part `*` or left out for any. */
function localityMatches({ region, zone, subZone }: EndpointLocality, pattern: string): boolean {
  const [wantRegion = '', wantZone = '', wantSubZone = ''] = pattern.split('/');
  const fits = (want: string, have: string): boolean => want === '*' || want === have;
  return fits(wantRegion, region) && (wantZone === '' || fits(wantZone, zone)) && (wantSubZone === '' || fits(wantSubZone, subZone));
}
