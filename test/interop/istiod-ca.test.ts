import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Svid } from '@ripstop/core';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { PodPort } from './envoy/pod-port.ts';
import { DiscoveryProcess } from './istiod/discovery-process.ts';
import { KubeCluster } from './kubernetes/kube-cluster.ts';
import { CLIENT_ONLY, type Member, throughEnvoy, throughSdk } from './mesh/mesh-member.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { statusesUnderTraffic } from './mesh/under-traffic.ts';
import { identityFrom, workloadIdentity } from './mesh/workload-identity.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { until } from './until.ts';

const { envoy, etcd, kubeApiserver, pilotDiscovery } = inject('peers');
const missing = [envoy, etcd, kubeApiserver, pilotDiscovery].flatMap((peer) => ('missing' in peer ? [peer.missing] : []));
if (missing.length > 0) console.log(`skipped: the certificate authority of istiod: ${missing.join('; ')}`);
const pathOf = (peer: typeof envoy): string => ('path' in peer ? peer.path : '');

const ACCOUNTS = ['by-envoy', 'by-sdk', 'client', 'stranger'];
/**
 * Every certificate here is from the CA of a real istiod, for a service account token of a real Kubernetes API server. Our control plane
 * sends configuration only.
 */
describe.skipIf(missing.length > 0)('with the certificate authority of a real istiod', () => {
  const parts = new AsyncDisposableStack();
  const members = new Map<string, Member>();
  let cluster: KubeCluster;
  let istiod: DiscoveryProcess;
  let upstreams: Upstreams;
  let mesh: TestMesh;
  let sdkServer: Mesh;
  let serverAddress: { readonly port: number };

  const identity = (serviceAccount: string, token: () => Promise<string>, ttlSeconds = 3_600) =>
    parts.adopt(
      identityFrom({
        caAddress: istiod.address,
        rootCertificatePem: istiod.rootCertificatePem,
        trustDomain: 'cluster.local',
        namespace: 'default',
        serviceAccount,
        token,
        ttlSeconds,
      }),
      async (each) => each.close(),
    );

  beforeAll(async () => {
    if (missing.length > 0) return;
    cluster = parts.use(await KubeCluster.start({ apiserver: pathOf(kubeApiserver), etcd: pathOf(etcd) }));
    istiod = parts.use(await DiscoveryProcess.start(pathOf(pilotDiscovery), cluster));
    for (const account of ACCOUNTS) await cluster.createServiceAccount(account);

    upstreams = parts.use(await Upstreams.start(['by-envoy', 'by-sdk']));
    const pod = parts.use(await PodPort.open());
    mesh = parts.use(
      await TestMesh.start(
        documents(
          service('by-envoy', { targetPort: pod.port }),
          service('by-sdk', { targetPort: 8080 }),
          workloadEntry({ name: 'by-envoy', app: 'by-envoy', version: 'v1', port: pod.port, serviceAccount: 'by-envoy' }),
          CLIENT_ONLY,
        ),
      ),
    );
    const files = parts.adopt(mkdtempSync(join(tmpdir(), 'ripstop-tokens-')), async (path) => rmSync(path, { recursive: true }));
    const sidecar = async (name: string, account: string): Promise<MeshEnvoy> => {
      const own = identity(account, () => cluster.token(account));
      await own.ready();
      const options = {
        role: 'sidecar',
        variant: 'delta',
        name,
        serviceAccount: account,
        labels: { app: account },
        identity: own,
      } as const;
      return parts.use(await MeshEnvoy.start(pathOf(envoy), mesh, options));
    };
    const member = async (account: string): Promise<Mesh> => {
      const tokenFile = join(files, account);
      writeFileSync(tokenFile, await cluster.token(account));
      const joined = createMesh({
        service: account,
        xds: `grpc://${mesh.controlPlane.addresses.xds}`,
        ca: `grpcs://${istiod.address}`,
        rootCertificatePem: istiod.rootCertificatePem,
        tokenFile,
        admin: 'off',
        ports: 'auto',
      });
      parts.defer(() => joined.close({ drainMs: 0 }));
      await joined.ready();
      return joined;
    };
    const server = await sidecar('by-envoy', 'by-envoy');
    pod.serve({ appPort: upstreams.port('by-envoy'), inboundPort: await server.inboundPort() });
    sdkServer = await member('by-sdk');
    serverAddress = await sdkServer.listen(upstreams.app('by-sdk'), 8080);
    for (const account of ['client', 'stranger']) {
      members.set(`Envoy ${account}`, throughEnvoy(await sidecar(`${account}-envoy`, account)));
      members.set(`SDK ${account}`, throughSdk(await member(account)));
    }
    members.set('Envoy server', { call: () => Promise.reject(new Error('a server')), rotate: () => server.identity.rotateNow() });
    members.set('SDK server', { call: () => Promise.reject(new Error('a server')), rotate: () => sdkServer.rotateIdentity() });
    await until('the SDK’s server is registered', () => mesh.controlPlane.push.instances.some(({ labels }) => labels.app === 'by-sdk'));
    await mesh.synced();
  }, 180_000);
  afterAll(() => parts.disposeAsync());

  it('a service account token is answered with a certificate of that account, signed by the root that istiod publishes', async () => {
    const svid = await identity('client', () => cluster.token('client')).ready();
    const leaf = new X509Certificate(svid.certificateChainPem);
    const root = new X509Certificate(istiod.rootCertificatePem);
    expect(svid.trustBundlePem.trim()).toBe(istiod.rootCertificatePem.trim());
    expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/client');
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(svid.notAfterMs - Date.now()).toBeGreaterThan(3_500_000);
    expect(svid.notAfterMs - Date.now()).toBeLessThanOrEqual(3_601_000);
  });

  it('it is rotated by itself at half life, also when the token is gone by then', async () => {
    let asked = 0;
    const own = identity(
      'client',
      async () => {
        asked += 1;
        if (asked > 2) throw new Error('the token file is gone');
        return cluster.token('client');
      },
      4,
    );
    const serials = new Set([(await own.ready()).serialNumber]);
    own.onRotate(({ serialNumber }) => serials.add(serialNumber));
    await until('three more certificates', () => serials.size > 3, 30_000);
    expect(asked).toBeGreaterThan(2);
    expect(own.state().lastError).toBe('');
    own.close();
  });

  it.each([
    ['of another audience', () => cluster.token('client', { audience: 'vault' }), 'client', /UNAUTHENTICATED/],
    ['that is none', async () => 'garbage', 'client', /UNAUTHENTICATED/],
    ['of another account', () => cluster.token('stranger'), 'client', /issued URI:\S+\/sa\/stranger instead of \S+\/sa\/client/],
  ])('a token %s gives no certificate, and the reason is told', async (_what, token, account, reason) => {
    const own = identity(account, token);
    await until('a reason', () => own.state().lastError !== '');
    expect(own.current()).toBeUndefined();
    expect(own.state().lastError).toMatch(reason);
    own.close();
  });

  for (const client of ['Envoy', 'SDK']) {
    for (const server of ['Envoy', 'SDK']) {
      const host = `by-${server.toLowerCase()}`;

      it(`${client} → ${server}: served over mTLS, both names are of istiod's certificates`, async () => {
        upstreams.play();
        expect(await members.get(`${client} client`)!.call(host)).toMatchObject({ status: 200, body: `${host}\n` });
        expect(upstreams.requests[0]!.headers.find(([name]) => name === 'x-forwarded-client-cert')?.[1]).toMatch(
          new RegExp(
            `^By=spiffe://cluster.local/ns/default/sa/${host};Hash=[0-9a-f]{64};Subject="";URI=spiffe://cluster.local/ns/default/sa/client$`,
          ),
        );
      });

      it(`${client} → ${server}: another account is denied`, async () => {
        upstreams.play();
        expect(await members.get(`${client} stranger`)!.call(host)).toMatchObject({ status: 403, body: 'RBAC: access denied' });
        expect(upstreams.requests).toEqual([]);
      });

      it(`${client} → ${server}: both take new certificates under traffic, and no call fails`, async () => {
        const caller = members.get(`${client} client`)!;
        const both = [caller, members.get(`${server} server`)!];
        const steps = Array.from({ length: 4 }, (_, round) => () => both[round % 2]!.rotate());
        expect(await statusesUnderTraffic(() => caller.call(host), steps, 2)).toEqual([200]);
      });
    }
  }

  it('who has no certificate of it is not served: in plaintext, or with the same name from another CA', async () => {
    await expect(fetch(`http://127.0.0.1:${serverAddress.port}/`)).rejects.toThrow();
    const served = async ({ certificateChainPem: cert, privateKeyPem: key }: Svid): Promise<boolean> => {
      const client = await RawClient.open(serverAddress.port, { cert, key, ALPNProtocols: ['istio-http/1.1'] }).catch(() => undefined);
      const reply = await client?.get('/').catch(() => undefined);
      client?.close();
      return reply?.status === 200;
    };
    const other = parts.adopt(await workloadIdentity(mesh, 'client'), async (each) => each.close());
    expect(await served(await identity('client', () => cluster.token('client')).ready())).toBe(true);
    expect(await served(other.current()!)).toBe(false);
  });
});
