import type { Scenario } from './scenario.ts';

/** `a`, `b`, … */
export function nameOf(index: number): string {
  return String.fromCharCode(97 + index);
}

/** The cluster of a scenario with its endpoints, as proto JSON. */
export function clusterJson(scenario: Scenario, name: string, ports: readonly number[]): Readonly<Record<string, unknown>> {
  const groups = new Map<string, unknown[]>();
  for (const [index, host] of scenario.hosts.entries()) {
    const key = `${host.zone ?? ''} ${host.priority ?? 0}`;
    const endpoint = {
      endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: ports[index] } } },
      ...(host.lb === undefined ? {} : { metadata: { filter_metadata: { 'envoy.lb': host.lb } } }),
      ...(host.weight === undefined ? {} : { load_balancing_weight: host.weight }),
      ...(host.health === undefined ? {} : { health_status: host.health }),
    };
    groups.set(key, [...(groups.get(key) ?? []), endpoint]);
  }
  const endpoints = [...groups].map(([key, lb_endpoints]) => {
    const [zone, priority] = key.split(' ');
    return { locality: { zone }, priority: Number(priority), lb_endpoints };
  });
  return { name, type: 'STATIC', connect_timeout: '1s', ...scenario.cluster, load_assignment: { cluster_name: name, endpoints } };
}
