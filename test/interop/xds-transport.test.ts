import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import type { DumpedResource } from './envoy/envoy-process.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { type MeshOptions, TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: xDS transport to Envoy: ${envoy.missing}`);

const ECHO = 'outbound|80||echo.default.svc.cluster.local';

/** What Envoy does at the edges of the protocol, with our control plane at the other end. */
describe.skipIf('missing' in envoy).each(['delta', 'sotw'] as const)('an Envoy over %s', (variant) => {
  async function member(options: MeshOptions = {}) {
    if ('missing' in envoy) throw new Error(envoy.missing);
    const parts = new AsyncDisposableStack();
    onTestFinished(() => parts.disposeAsync());
    const upstreams = parts.use(await Upstreams.start(['echo']));
    const entry = workloadEntry({ name: 'echo', app: 'echo', version: 'v1', port: upstreams.port('echo') });
    const yaml = (timeout: string): string =>
      documents(
        service('echo'),
        entry,
        `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo, namespace: default }
spec: { host: echo, trafficPolicy: { connectionPool: { tcp: { connectTimeout: ${timeout} } } } }
`,
      );
    const mesh = parts.use(await TestMesh.start(yaml('7s'), [], options));
    const member = parts.use(await MeshEnvoy.start(envoy.path, mesh, { role: 'sidecar', variant, name: 'web', labels: { app: 'web' } }));
    return { mesh, member, yaml };
  }

  const held = async ({ process }: MeshEnvoy): Promise<DumpedResource[]> => process.configDump();
  const connectTimeout = async ({ process }: MeshEnvoy): Promise<string> =>
    /"name": "outbound\|80\|\|echo[\s\S]*?"connect_timeout": "(\d+)s"/.exec(
      await process.get('/config_dump?resource=dynamic_active_clusters'),
    )?.[1] ?? '';

  async function call(envoy: MeshEnvoy): Promise<number> {
    const client = await envoy.outboundClient(80);
    try {
      const { statusCode, body } = await client.request({ method: 'GET', path: '/', headers: { host: 'echo' } });
      await body.dump();
      return statusCode;
    } finally {
      client.destroy();
    }
  }

  it('that was away while a cluster changed has it warm at once when it is back, though its endpoints are the same', async () => {
    const { mesh, member: web, yaml } = await member();
    // A listener is shown before it listens.
    await until('the listener', async () => (await call(web)) === 200);
    web.relay.lose();
    await until('the control plane has seen it go', () => mesh.controlPlane.syncState().length === 0);
    await mesh.apply(yaml('9s'));
    expect(await call(web)).toBe(200);
    web.relay.restore();
    await until('it is back', () => mesh.controlPlane.syncState().length === 1, 40_000);
    await until('the cluster is the new one', async () => (await connectTimeout(web)) === '9', 5_000);
    expect((await held(web)).filter(({ state }) => state !== 'active')).toEqual([]);
    expect(await call(web)).toBe(200);
    expect(web.relay.refusals).toEqual([]);
  });

  it('keeps what is confirmed within its time to live, and forgets it when nobody confirms it', async () => {
    const { mesh, member: web } = await member({ resourceTtlMs: 3_000 });
    // Longer than a time to live.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect((await held(web)).map(({ name }) => name)).toContain(ECHO);
    expect(await call(web)).toBe(200);
    web.relay.lose();
    await until('everything has run out', async () => (await held(web)).every(({ kind }) => kind === 'route'), 10_000);
    web.relay.restore();
    await until('it is back', () => mesh.controlPlane.syncState().length === 1, 40_000);
    await until('it works again', async () => (await call(web)) === 200);
    expect(web.relay.refusals).toEqual([]);
  });
});
