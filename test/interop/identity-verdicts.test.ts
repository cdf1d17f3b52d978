import { createCsr, createKeyPair, privateKeyPem } from '@ripstop/pki';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ClientTls, RawClient } from '../../packages/server/src/testing/raw-client.ts';
import { type Fields, matches, type Policy } from '../conformance/authorization-policy.ts';
import { seeded } from '../security/agreement/seeded.ts';
import { Upstreams } from '../simulation/mesh/upstreams.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';
import { type DrawnCall, drawCall, ODD_PRINCIPALS, PLAIN_CALL } from './verdicts/draw-calls.ts';
import { drawPolicies, policyDocuments } from './verdicts/draw-policies.ts';
import { TokenIssuers } from './verdicts/token-issuers.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: verdicts over certificates and tokens beside a real Envoy: ${envoy.missing}`);

const SEED = Number(process.env.RIPSTOP_SEED ?? 20_261_126);
const POLICIES = Number(process.env.RIPSTOP_POLICIES ?? 40);
const CALLS = 30;
const TRUST = { own: 'cluster.local', aliases: [] };

/** What a caller gets: the verdict, in the words of whoever gives it. */
interface Verdict {
  readonly status: number;
  readonly body: string;
  readonly challenge: string | undefined;
}

/** A sidecar and the SDK in front of the same app, under the same policies; both get the same bytes over TLS with the same certificates. */
describe.skipIf('missing' in envoy)('policies over certificates and tokens decide as in a real Envoy', () => {
  const parts = new AsyncDisposableStack();
  const issuers = new TokenIssuers();
  const certificates = new Map<string, ClientTls>();
  let mesh: TestMesh;
  let envoyPort: number;
  let sdkPort: number;

  const yaml = (policies: readonly Policy[], podPort: number): string =>
    documents(
      service('by-envoy', { targetPort: podPort }),
      service('by-sdk', { targetPort: 8080 }),
      workloadEntry({ name: 'by-envoy', app: 'by-envoy', version: 'v1', port: podPort, serviceAccount: 'by-envoy' }),
      issuers.document,
      ...policyDocuments(policies),
    );

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const upstreams = parts.use(await Upstreams.start(['by-envoy', 'by-sdk']));
    const pod = parts.use(await PodPort.open());
    envoyPort = pod.port;
    mesh = parts.use(await TestMesh.start(yaml([], pod.port)));
    const options = {
      role: 'sidecar',
      variant: 'delta',
      name: 'by-envoy',
      serviceAccount: 'by-envoy',
      labels: { app: 'by-envoy' },
    } as const;
    const server = parts.use(await MeshEnvoy.start(envoy.path, mesh, options));
    pod.serve({ appPort: upstreams.port('by-envoy'), inboundPort: await server.inboundPort() });
    const sdk = await sdkMember({ mesh, parts }, { service: 'by-sdk', serviceAccount: 'by-sdk' });
    sdkPort = (await sdk.listen(upstreams.app('by-sdk'), 8080)).port;
    await until('the SDK’s server is registered', () => mesh.controlPlane.push.instances.some(({ labels }) => labels.app === 'by-sdk'));
    await mesh.synced();
  });
  afterAll(() => parts.disposeAsync());

  const certificateOf = (principal: string): ClientTls => {
    let tls = certificates.get(principal);
    if (tls === undefined) {
      const keys = createKeyPair();
      const { chain } = mesh.controlPlane.ca.issue(createCsr(keys, {}), `spiffe://${principal}`, 3_600);
      tls = { cert: chain[0]!, key: privateKeyPem(keys.privateKey), ALPNProtocols: ['istio-http/1.1'] };
      certificates.set(principal, tls);
    }
    return tls;
  };

  /** The answer to the very same bytes. `served`: whichever app it was. */
  const ask = async (port: number, { call }: DrawnCall, token: string | undefined): Promise<Verdict> => {
    const client = await RawClient.open(port, call.principal === '' ? undefined : certificateOf(call.principal));
    const lines = [`GET ${call.path} HTTP/1.1`, `Host: ${call.host}`, ...(token === undefined ? [] : [`Authorization: Bearer ${token}`])];
    client.write(`${lines.join('\r\n')}\r\n\r\n`);
    const { status, body, header } = await client.response();
    client.close();
    return { status, body: status === 200 ? 'served' : body, challenge: header('www-authenticate') };
  };

  const both = async (drawn: DrawnCall): Promise<{ readonly envoy: Verdict; readonly sdk: Verdict }> => {
    const { claims } = drawn.call;
    const token = claims === undefined ? undefined : issuers.token(claims, drawn.defect);
    const [byEnvoy, bySdk] = await Promise.all([ask(envoyPort, drawn, token), ask(sdkPort, drawn, token)]);
    return { envoy: byEnvoy, sdk: bySdk };
  };

  it(`${POLICIES} drawn sets of policies, ${CALLS} calls each: one verdict, and the one that the YAML says`, async () => {
    const random = seeded(SEED);
    const met = new Map<number, number>();
    for (let round = 0; round < POLICIES; round++) {
      const policies = drawPolicies(random);
      await mesh.apply(yaml(policies, envoyPort));
      for (let count = 0; count < CALLS; count++) {
        const drawn = drawCall(random);
        const context = { seed: SEED, round, policies, drawn };
        const { envoy: theirs, sdk: ours } = await both(drawn);
        expect({ ...context, verdict: ours }).toEqual({ ...context, verdict: theirs });
        expect({ ...context, status: theirs.status }).toEqual({ ...context, status: meant(policies, drawn) });
        met.set(ours.status, (met.get(ours.status) ?? 0) + 1);
      }
    }
    console.log(`verdicts: ${[...met].map(([status, times]) => `${times} × ${status}`).join(', ')}`);
    for (const status of [200, 401, 403]) expect(met.get(status)).toBeGreaterThan((POLICIES * CALLS) / 20);
  }, 300_000);

  it.each<[source: Fields, theirs: readonly number[], ours: readonly number[]]>([
    // The columns: ODD_PRINCIPALS. Where the verdicts differ, it is the SDK that denies: the first /ns/ of a name is its namespace.
    [{ serviceAccounts: ['foo/client'] }, [200, 200, 403], [403, 200, 403]],
    [{ namespaces: ['foo'] }, [200, 200, 403], [403, 200, 403]],
    [{ principals: ['cluster.local/ns/foo/sa/client'] }, [403, 403, 403], [403, 403, 403]],
    [{ principals: ['*/ns/foo/sa/client'] }, [200, 403, 403], [403, 403, 403]],
    [{ serviceAccounts: ['admin'] }, [403, 403, 200], [403, 403, 200]],
  ])('ALLOW %j, and names that only look like what it means', async (source, theirs, ours) => {
    await mesh.apply(yaml([{ namespace: 'default', action: 'ALLOW', rules: [{ from: [{ source }] }] }], envoyPort));
    const verdicts = await Promise.all(ODD_PRINCIPALS.map((principal) => both({ call: { ...PLAIN_CALL, principal }, defect: '' })));
    expect(verdicts.map(({ envoy: { status } }) => status)).toEqual(theirs);
    expect(verdicts.map(({ sdk: { status } }) => status)).toEqual(ours);
  });
});

/** By the plain reading of the YAML. */
function meant(policies: readonly Policy[], { call, defect }: DrawnCall): number {
  if (defect !== '') return 401;
  const some = (action: string): boolean => policies.some((policy) => policy.action === action && matches(policy, call, TRUST));
  if (some('DENY')) return 403;
  return policies.every(({ action }) => action !== 'ALLOW') || some('ALLOW') ? 200 : 403;
}
