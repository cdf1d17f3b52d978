import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CALLS, reached } from '../clusters/reached-here.ts';
import { SCENARIOS } from '../clusters/scenarios.ts';
import { NamedHosts } from './clusters/named-hosts.ts';
import { startStaticEnvoy } from './clusters/static-envoy.ts';
import type { EnvoyProcess } from './envoy/envoy-process.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: clusters of a real Envoy: ${peer.missing}`);

/** test/clusters holds our clusters to the same tables. */
describe.skipIf('missing' in peer)('which hosts of a cluster take a request in Envoy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-clusters-'));
  let hosts: NamedHosts;
  let envoy: EnvoyProcess;
  let port: number;

  beforeAll(async () => {
    hosts = await NamedHosts.start(Math.max(...SCENARIOS.map((scenario) => scenario.hosts.length)));
    envoy = await startStaticEnvoy((peer as { readonly path: string }).path, folder, SCENARIOS, hosts.ports);
    port = await envoy.listenerPort('in');
  });
  afterAll(async () => {
    await envoy?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function hostsOf(scenario: number, call: number): Promise<string> {
    const names: string[] = [];
    for (let made = 0; made < CALLS; made++) {
      const response = await fetch(`http://127.0.0.1:${port}/${scenario}/${call}`);
      const text = await response.text();
      names.push(response.status === 200 ? text : '-');
    }
    return reached(names);
  }

  it.each(SCENARIOS.map((scenario, index) => [scenario.name, scenario, index] as const))('%s', async (_name, { calls }, index) => {
    for (const [call, [{ name }, wanted]] of calls.entries()) expect(`${name}: ${await hostsOf(index, call)}`).toBe(`${name}: ${wanted}`);
  });
});
