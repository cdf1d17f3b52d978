import type { ProxyNode } from './proxy-node.ts';

/** Nobody knows where. */
export const NOWHERE: ProxyNode['locality'] = { region: '', zone: '', subZone: '' };

/**
 * `region/zone/subzone` of the label; empty: none. Dots stand for the slashes that no label of Kubernetes may have (Istio:
 * SanitizeLocalityLabel). The older name comes second.
 */
export function labelledPlace(labels: Readonly<Record<string, string>>): string {
  const place = labels['topology.istio.io/locality'] ?? labels['istio-locality'] ?? '';
  return place.includes('/') ? place : place.replaceAll('.', '/');
}

/**
 * Where a workload says that it is, whatever its machine is (Istio: `topology.istio.io/locality: region.zone.subzone`); undefined: it
 * does not say.
 */
export function labelledLocality(labels: Readonly<Record<string, string>>): ProxyNode['locality'] | undefined {
  const place = labelledPlace(labels);
  return place === '' ? undefined : localityOf(place);
}

/** Reads `region/zone/subzone`. */
export function localityOf(place: string): ProxyNode['locality'] {
  const [region = '', zone = '', subZone = ''] = place.split('/');
  return { region, zone, subZone };
}

/**
 * Where a client is that says `said`. Labels come first (istiod: setTopologyLabels); of one that names a subzone alone the rest is as
 * said: istiod takes it from the client's Pod.
 */
export function clientsLocality(labels: Readonly<Record<string, string>>, said: ProxyNode['locality']): ProxyNode['locality'] {
  const place = labelledLocality(labels) ?? said;
  const { 'topology.kubernetes.io/region': region, 'topology.kubernetes.io/zone': zone, 'topology.istio.io/subzone': subZone } = labels;
  if (region === undefined && zone === undefined) return { ...place, subZone: place.subZone || (subZone ?? '') };
  const same = place.region === (region ?? '') && place.zone === (zone ?? '');
  return { region: region ?? '', zone: zone ?? '', subZone: subZone ?? (same ? place.subZone : '') };
}
