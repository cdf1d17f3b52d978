import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { describe, expect, inject, it } from 'vitest';
import { offShares, ZONES, type ZoneScenario, zoneClusters } from '../clusters/zones.ts';
import { NamedHosts } from './clusters/named-hosts.ts';
import { EnvoyProcess } from './envoy/envoy-process.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: zones of a real Envoy: ${peer.missing}`);

const CALLS = 600;
const NETS = 4;

/** test/clusters/zones.test.ts holds our clusters to the same table. An Envoy has one local cluster, so there is one for each scenario. */
describe.skipIf('missing' in peer)('zone aware routing in Envoy', () => {
  it.each(ZONES.map((scenario) => [scenario.name, scenario] as const))('%s', async (_name, scenario) => {
    const folder = mkdtempSync(join(tmpdir(), 'ripstop-zones-'));
    try {
      await using hosts = await NamedHosts.start(3, '0.0.0.0');
      await using envoy = await start((peer as { readonly path: string }).path, folder, scenario, hosts.ports);
      const pool = new Pool(`http://127.0.0.1:${await envoy.listenerPort('in')}`, { connections: NETS });
      const counts = new Map<string, number>();
      for (let call = 0; call < CALLS; call++) {
        const { statusCode, body } = await pool.request({ path: '/', method: 'GET' });
        const text = await body.text();
        const zone = statusCode === 200 ? text : '-';
        counts.set(zone, (counts.get(zone) ?? 0) + 1);
      }
      await pool.close();
      expect(offShares(scenario.shares, counts, CALLS)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function start(binary: string, folder: string, scenario: ZoneScenario, ports: readonly number[]): Promise<EnvoyProcess> {
  // Each zone is one process that says its name; hosts of a zone are addresses of it.
  const address = (zone: string, index: number): object => ({
    socket_address: { address: `127.0.0.${index + 1}`, port_value: ports['abc'.indexOf(zone)] },
  });
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'in',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }] }] },
    http_filters: [{ name: 'router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
  };
  const any = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return EnvoyProcess.start(binary, folder, {
    node: { id: 'zones', cluster: 'zones', locality: { zone: 'a' } },
    cluster_manager: { local_cluster_name: 'c-local' },
    admin: { address: any },
    static_resources: {
      clusters: zoneClusters(scenario, 'c', address),
      listeners: [{ name: 'in', address: any, filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }] }],
    },
  });
}
