import type { Scenario, ScenarioHost } from './scenario.ts';

/** `a`, `b`, … */
export function nameOf(index: number): string {
  return String.fromCharCode(97 + index);
}

type Json = Readonly<Record<string, unknown>>;

/** The cluster of a scenario, and those that it aggregates, as proto JSON. */
export function clustersJson(scenario: Scenario, name: string, ports: readonly number[]): readonly Json[] {
  const { aggregates, cluster, hosts } = scenario;
  if (aggregates === undefined) return [clusterJson(cluster, hosts, name, ports)];
  const children = aggregates.map((count, index) => {
    const from = aggregates.slice(0, index).reduce((sum, before) => sum + before, 0);
    return clusterJson(cluster, hosts.slice(from, from + count), `${name}-${index}`, ports.slice(from));
  });
  const type = 'type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig';
  const typed_config = { '@type': type, clusters: children.map((child) => child.name) };
  const aggregate = { name, connect_timeout: '1s', lb_policy: 'CLUSTER_PROVIDED', cluster_type: { name: 'aggregate', typed_config } };
  return [{ ...cluster, ...aggregate }, ...children];
}

function clusterJson(cluster: Json, hosts: readonly ScenarioHost[], name: string, ports: readonly number[]): Json {
  const groups = new Map<string, unknown[]>();
  for (const [index, host] of hosts.entries()) {
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
  return { name, type: 'STATIC', connect_timeout: '1s', ...cluster, load_assignment: { cluster_name: name, endpoints } };
}
