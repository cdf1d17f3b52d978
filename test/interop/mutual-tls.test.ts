import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { PodPort } from './envoy/pod-port.ts';
import { CLIENT_ONLY, type Member, throughEnvoy, throughSdk } from './mesh/mesh-member.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { statusesUnderTraffic } from './mesh/under-traffic.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: mutual TLS with Envoy: ${envoy.missing}`);

/** Services `by-envoy` and `by-sdk`, and clients of two accounts on both. Each pair meets on a real connection of the mesh. */
describe.skipIf('missing' in envoy)('Envoys and the SDK in one STRICT mesh', () => {
  const parts = new AsyncDisposableStack();
  const clients = new Map<string, Member>();
  let upstreams: Upstreams;

  beforeAll(async () => {
    if ('missing' in envoy) return;
    upstreams = parts.use(await Upstreams.start(['by-envoy', 'by-sdk']));
    const pod = parts.use(await PodPort.open());
    const mesh = parts.use(
      await TestMesh.start(
        documents(
          service('by-envoy', { targetPort: pod.port }),
          service('by-sdk', { targetPort: 8080 }),
          workloadEntry({ name: 'by-envoy', app: 'by-envoy', version: 'v1', port: pod.port, serviceAccount: 'by-envoy' }),
          CLIENT_ONLY,
        ),
      ),
    );
    const context = { mesh, parts };
    const sidecar = async (name: string, serviceAccount: string) => {
      const options = { role: 'sidecar', variant: 'delta', name, serviceAccount, labels: { app: serviceAccount } } as const;
      return parts.use(await MeshEnvoy.start(envoy.path, mesh, options));
    };
    const server = await sidecar('by-envoy', 'by-envoy');
    pod.serve({ appPort: upstreams.port('by-envoy'), inboundPort: await server.inboundPort() });
    const sdkServer = await sdkMember(context, { service: 'by-sdk', serviceAccount: 'by-sdk' });
    await sdkServer.listen(upstreams.app('by-sdk'), 8080);

    for (const account of ['client', 'stranger']) {
      clients.set(`Envoy ${account}`, throughEnvoy(await sidecar(`${account}-envoy`, account)));
      clients.set(`SDK ${account}`, throughSdk(await sdkMember(context, { service: account, serviceAccount: account })));
    }
    clients.set('Envoy server', { call: () => Promise.reject(new Error('a server')), rotate: () => server.identity.rotateNow() });
    clients.set('SDK server', { call: () => Promise.reject(new Error('a server')), rotate: () => sdkServer.rotateIdentity() });
    await until('the SDK’s server is registered', () => mesh.controlPlane.push.instances.some(({ labels }) => labels.app === 'by-sdk'));
    await mesh.synced();
  });
  afterAll(() => parts.disposeAsync());

  for (const client of ['Envoy', 'SDK']) {
    for (const server of ['Envoy', 'SDK']) {
      const host = `by-${server.toLowerCase()}`;

      it(`${client} → ${server}: served, and the app is told who calls`, async () => {
        upstreams.play();
        expect(await clients.get(`${client} client`)!.call(host)).toMatchObject({ status: 200, body: `${host}\n` });
        const { headers } = upstreams.requests[0]!;
        const certificate = headers.find(([name]) => name === 'x-forwarded-client-cert')?.[1];
        expect(certificate).toMatch(
          new RegExp(
            `^By=spiffe://cluster.local/ns/default/sa/${host};Hash=[0-9a-f]{64};Subject="";URI=spiffe://cluster.local/ns/default/sa/client$`,
          ),
        );
      });

      it(`${client} → ${server}: another account is denied`, async () => {
        upstreams.play();
        expect(await clients.get(`${client} stranger`)!.call(host)).toMatchObject({ status: 403, body: 'RBAC: access denied' });
        expect(upstreams.requests).toEqual([]);
      });

      it(`${client} → ${server}: both take new certificates under traffic, and no call fails`, async () => {
        const caller = clients.get(`${client} client`)!;
        const both = [caller, clients.get(`${server} server`)!];
        const steps = Array.from({ length: 5 }, (_, round) => () => both[round % 2]!.rotate());
        expect(await statusesUnderTraffic(() => caller.call(host), steps, 3)).toEqual([200]);
      });

      // An Envoy goes on with the connections that it has; the SDK replaces them.
      if (client === 'SDK')
        it(`${client} → ${server}: the app sees the new certificate`, async () => {
          const caller = clients.get(`${client} client`)!;
          const shown = async (): Promise<string | undefined> => {
            upstreams.play();
            await caller.call(host);
            return upstreams.requests[0]?.headers.find(([name]) => name === 'x-forwarded-client-cert')?.[1];
          };
          const before = await shown();
          await caller.rotate();
          await until('another certificate', async () => (await shown()) !== before);
        });
    }
  }
});
