import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { replyOf } from '../simulation/calls/reply-of.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import type { Reply } from '../simulation/observation.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, subsets, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: changes under load in Envoy: ${envoy.missing}`);

function route(destinations: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo, namespace: default }
spec:
  hosts: [echo]
  http: [{ route: [${destinations}], retries: { attempts: 0 } }]
`;
}

const to = (subset: string, weight = 100): string => `{ destination: { host: echo, subset: ${subset} }, weight: ${weight} }`;

describe.skipIf('missing' in envoy)('a configuration that changes under load', () => {
  const parts = new AsyncDisposableStack();
  const callers = new Map<string, () => Promise<Reply>>();
  let mesh: TestMesh;
  let yaml: (versions: readonly string[], destinations: string) => string;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const upstreams = parts.use(await Upstreams.start(['echo-v1', 'echo-v2']));
    const workloads = ['v1', 'v2'].map((version) =>
      workloadEntry({ name: `echo-${version}`, app: 'echo', version, port: upstreams.port(`echo-${version}`) }),
    );
    yaml = (versions, destinations) => documents(service('echo'), subsets('echo', versions), route(destinations), ...workloads);
    mesh = parts.use(await TestMesh.start(yaml(['v1'], to('v1'))));
    for (const variant of ['delta', 'sotw'] as const) {
      const member = parts.use(
        await MeshEnvoy.start(envoy.path, mesh, { role: 'sidecar', variant, name: `envoy-${variant}`, labels: { app: variant } }),
      );
      callers.set(`Envoy, ${variant}`, async () => {
        const client = await member.outboundClient(80);
        return replyOf(client, { url: 'http://echo/' }).finally(() => client.destroy());
      });
    }
    const { dispatcher } = await sdkMember({ mesh, parts }, { service: 'sdk' });
    callers.set('SDK', () => replyOf(dispatcher, { url: 'http://echo/' }));
    await mesh.synced();
  });
  afterAll(() => parts.disposeAsync());

  /** Runs traffic of every caller through `change`, until each has met `workload`; answers every status that was not 200. */
  async function under(change: () => Promise<void>, workload: string): Promise<string[]> {
    const failures: string[] = [];
    let running = true;
    const reached = new Set<string>();
    const loops = [...callers].map(async ([name, call]) => {
      while (running) {
        const { status, body } = await call();
        if (status !== 200) failures.push(`${name}: ${status} ${body}`);
        else if (body === `${workload}\n`) reached.add(name);
      }
    });
    try {
      await change();
      reached.clear();
      await until(`every caller reaches ${workload}`, () => reached.size === callers.size);
    } finally {
      running = false;
      await Promise.all(loops);
    }
    return failures;
  }

  it('moves to a subset that did not exist before, and no call fails', async () => {
    expect(await under(() => mesh.apply(yaml(['v1', 'v2'], to('v2'))), 'echo-v2')).toEqual([]);
  });

  it('moves back and loses the subset, and no call fails', async () => {
    expect(await under(() => mesh.apply(yaml(['v1'], to('v1'))), 'echo-v1')).toEqual([]);
  });

  it('splits, and no call fails', async () => {
    const split = `${to('v1', 90)}, ${to('v2', 10)}`;
    expect(await under(() => mesh.apply(yaml(['v1', 'v2'], split)), 'echo-v2')).toEqual([]);
  });
});
