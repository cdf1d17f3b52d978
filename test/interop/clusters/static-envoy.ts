import { clustersJson } from '../../clusters/cluster-json.ts';
import type { Scenario } from '../../clusters/scenario.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';

/** An Envoy with one cluster per scenario and one route per call: `/<scenario>/<call>`. */
export function startStaticEnvoy(
  binary: string,
  folder: string,
  scenarios: readonly Scenario[],
  ports: readonly number[],
): Promise<EnvoyProcess> {
  const routes = scenarios.flatMap(({ calls }, scenario) =>
    calls.map(([{ match }], call) => ({
      match: { path: `/${scenario}/${call}` },
      route: {
        cluster: `c${scenario}`,
        ...(match === undefined ? {} : { metadata_match: { filter_metadata: { 'envoy.lb': match } } }),
      },
    })),
  );
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'in',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
  };
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return EnvoyProcess.start(binary, folder, {
    admin: { address },
    static_resources: {
      clusters: scenarios.flatMap((scenario, index) => clustersJson(scenario, `c${index}`, ports)),
      listeners: [{ name: 'in', address, filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }] }],
    },
  });
}
