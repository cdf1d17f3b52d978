import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ControlPlane, type ControlPlaneEvent, createControlPlane, KubernetesAttestor } from '@ripstop/control-plane';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { KubeCluster } from './kubernetes/kube-cluster.ts';
import { signedToken } from './kubernetes/signed-token.ts';
import { identityFrom } from './mesh/workload-identity.ts';
import { until } from './until.ts';

const { etcd, kubeApiserver } = inject('peers');
const missing = [etcd, kubeApiserver].flatMap((peer) => ('missing' in peer ? [peer.missing] : []));
if (missing.length > 0) console.log(`skipped: attestation by a real Kubernetes API server: ${missing.join('; ')}`);
const pathOf = (peer: typeof etcd): string => ('path' in peer ? peer.path : '');

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const PODS = '/api/v1/namespaces/default/pods';

/** Our control plane's CA; who asks is decided by TokenReviews of a real API server. */
describe.skipIf(missing.length > 0)('our CA with service account tokens of a real Kubernetes', () => {
  const parts = new AsyncDisposableStack();
  const events: ControlPlaneEvent[] = [];
  let cluster: KubeCluster;
  let uid: string;

  const startPlane = async (reviewer: string, name: string): Promise<ControlPlane> => {
    const token = await cluster.token(reviewer, { audience: 'https://kubernetes.default.svc' });
    const plane = createControlPlane({
      source: join(cluster.folder, 'mesh.yaml'),
      stateDir: join(cluster.folder, name),
      xds: '',
      xdsTls: '127.0.0.1:0',
      http: '',
      attestors: [new KubernetesAttestor({ apiServer: cluster.url, caPem: cluster.caPem, token: () => token })],
      onEvent: (event) => events.push(event),
    });
    parts.defer(() => plane.close());
    await plane.start();
    return plane;
  };
  let plane: ControlPlane;

  /** The certificate's name, or why there is none. */
  const ask = async (token: string, serviceAccount = 'web', at = plane): Promise<string> => {
    const identity = identityFrom({
      caAddress: at.addresses.xdsTls,
      rootCertificatePem: at.ca.rootCertificatePem,
      trustDomain: 'cluster.local',
      namespace: 'default',
      serviceAccount,
      token: () => token,
    });
    try {
      await until('an answer', () => identity.current() !== undefined || identity.state().lastError !== '');
      return identity.current()?.spiffeId ?? identity.state().lastError;
    } finally {
      identity.close();
    }
  };

  beforeAll(async () => {
    if (missing.length > 0) return;
    cluster = parts.use(await KubeCluster.start({ apiserver: pathOf(kubeApiserver), etcd: pathOf(etcd) }));
    writeFileSync(join(cluster.folder, 'mesh.yaml'), '');
    for (const account of ['reviewer', 'powerless']) await cluster.createServiceAccount(account);
    ({ uid } = (await cluster.createServiceAccount('web')).metadata);
    await cluster.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'reviewer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'reviewer', namespace: 'default' }],
    });
    plane = await startPlane('reviewer', 'state');
  }, 120_000);
  afterAll(() => parts.disposeAsync());

  it('a TokenRequest token for istio-ca gives the certificate of its account, and the issuance log says how it was proved', async () => {
    expect(await ask(await cluster.token('web'))).toBe('spiffe://cluster.local/ns/default/sa/web');
    expect(events.findLast(({ type }) => type === 'issued')).toMatchObject({
      spiffeId: 'spiffe://cluster.local/ns/default/sa/web',
      by: 'Kubernetes token',
    });
  });

  it('a token that the API server would have made itself is taken, so that those below differ in one thing only', async () => {
    expect(await ask(signedToken(cluster.tokenKey, { account: 'web', uid, expiresIn: 600 }))).toBe(
      'spiffe://cluster.local/ns/default/sa/web',
    );
  });

  it('of another account: the certificate is for whom the token names, and who asked for another name refuses it', async () => {
    expect(await ask(await cluster.token('web'), 'admin')).toMatch(/issued URI:\S+\/sa\/web instead of \S+\/sa\/admin/);
  });

  it.each<[what: string, token: () => Promise<string> | string, reason: RegExp]>([
    ['for another audience', () => cluster.token('web', { audience: 'vault' }), /UNAUTHENTICATED: .*audience/],
    [
      'for the API server itself',
      () => cluster.token('web', { audience: 'https://kubernetes.default.svc' }),
      /UNAUTHENTICATED: .*audience/,
    ],
    ['that has expired', () => signedToken(cluster.tokenKey, { account: 'web', uid, expiresIn: -60 }), /UNAUTHENTICATED: .*expired/],
    [
      'of another issuer',
      () => signedToken(cluster.tokenKey, { account: 'web', uid, expiresIn: 600, issuer: 'https://x' }),
      /UNAUTHENTICATED/,
    ],
    [
      'that somebody else signed',
      () => signedToken(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, { account: 'web', uid, expiresIn: 600 }),
      /UNAUTHENTICATED: Kubernetes does not accept/,
    ],
    [
      'of an account that was made anew under the same name',
      () => signedToken(cluster.tokenKey, { account: 'web', uid: '00000000-0000-0000-0000-000000000000', expiresIn: 600 }),
      /UNAUTHENTICATED: Kubernetes does not accept/,
    ],
    ['that is garbage', () => 'garbage', /UNAUTHENTICATED: the token is no JWT/],
    ['that only looks like one', () => 'a.b.c', /UNAUTHENTICATED/],
    ['of a person, however mighty', () => cluster.adminToken, /UNAUTHENTICATED/],
  ])('a token %s is refused with the reason', async (_what, token, reason) => {
    const text = await token();
    const said = await ask(text);
    expect(said).toMatch(reason);
    expect(said).not.toContain(text.slice(-20));
    expect(JSON.stringify(events)).not.toContain(text.slice(-20));
  });

  it('a token ends with its account, and one that is bound to a Pod with the Pod', async () => {
    await cluster.create(PODS, {
      metadata: { name: 'web-1' },
      spec: { serviceAccountName: 'web', containers: [{ name: 'web', image: 'none' }] },
    });
    await cluster.createServiceAccount('gone');
    const [ofPod, ofAccount] = await Promise.all([cluster.token('web', { pod: 'web-1' }), cluster.token('gone')]);
    const answers = (): Promise<string[]> => Promise.all([ask(ofPod), ask(ofAccount, 'gone')]);
    expect(await answers()).toEqual(['spiffe://cluster.local/ns/default/sa/web', 'spiffe://cluster.local/ns/default/sa/gone']);
    await cluster.remove(`${PODS}/web-1`);
    await cluster.remove(`${ACCOUNTS}/gone`);
    // It remembers for 10 s what it has accepted.
    const refused = await until(
      'the API server accepts neither',
      async () => {
        const said = await answers();
        return said.every((answer) => answer.includes('UNAUTHENTICATED')) ? said : undefined;
      },
      30_000,
    );
    for (const answer of refused) expect(answer).toMatch(/UNAUTHENTICATED: Kubernetes does not accept the token/);
  }, 60_000);

  it('without the right to review, nobody gets a certificate, and the caller learns no more than to come again', async () => {
    const powerless = await startPlane('powerless', 'state-of-powerless');
    expect(await ask(await cluster.token('web'), 'web', powerless)).toMatch(/UNAUTHENTICATED: the token cannot be reviewed now: try again/);
  });
});
