import type { ProxyNode } from './proxy-node.ts';

/** Nobody knows where. */
export const NOWHERE: ProxyNode['locality'] = { region: '', zone: '', subZone: '' };

/** Where a workload says that it is, whatever its machine is (Istio: `istio-locality: region.zone.subzone`); undefined: it does not say. */
export function labelledLocality(labels: Readonly<Record<string, string>>): ProxyNode['locality'] | undefined {
  const { 'istio-locality': label = '' } = labels;
  if (label === '') return undefined;
  const [region = '', zone = '', subZone = ''] = label.split('.');
  return { region, zone, subZone };
}
