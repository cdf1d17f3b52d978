import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ProxyNode, proxyNodeOf, translate } from '@ripstop/control-plane';
import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, inject, it } from 'vitest';
import { policies } from '../simulation/table/authorization.ts';
import { gateway } from '../simulation/table/gateway.ts';
import { load } from '../simulation/table/load.ts';
import { localReplies } from '../simulation/table/local-replies.ts';
import { permissive } from '../simulation/table/mutual-tls.ts';
import { resilience } from '../simulation/table/resilience.ts';
import { rewriting } from '../simulation/table/rewriting.ts';
import { routing } from '../simulation/table/routing.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, subsets } from './mesh/yaml.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: acceptance by Envoy: ${envoy.missing}`);

const bookinfo = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'samples/bookinfo');
const hasBookinfo = existsSync(bookinfo);
if (!hasBookinfo) console.log(`skipped: Istio's bookinfo in a real Envoy (no ${bookinfo})`);

/** Envoy would wait for the addresses of www.googleapis.com. */
const NEEDS_DNS = 'egress-rule-google-apis.yaml';

const TABLES = [routing, rewriting, localReplies, resilience, load, gateway, policies, permissive];
const EVERYTHING = documents(
  service('echo'),
  service('other'),
  service('served', { targetPort: 8080 }),
  subsets('echo', ['v1', 'v2']),
  ...TABLES.map(({ yaml }) => yaml),
);
const SIDECAR = { role: 'sidecar', labels: { app: 'served' } } as const;
const ROUTER = { role: 'router', labels: { istio: 'ingressgateway' } } as const;

/** The node as the control plane knows it, to ask for what it was sent. */
function nodeOf(mesh: TestMesh, name: string, labels: Readonly<Record<string, string>>): ProxyNode {
  const { id } = mesh.controlPlane.syncState().find((client) => client.name === name)!;
  return proxyNodeOf({ id, metadata: { LABELS: labels, NAMESPACE: 'default' } });
}

/** Envoy has every cluster and listener that the control plane has for it, in use, and nothing else; it refused nothing. */
async function expectAllActive(mesh: TestMesh, member: MeshEnvoy, node: ProxyNode): Promise<void> {
  const { push } = mesh.controlPlane;
  const wanted = [
    ...translate(CLUSTER_TYPE_URL, node, push, []).map(({ name }) => `cluster ${name} active`),
    ...translate(LISTENER_TYPE_URL, node, push, []).map(({ name }) => `listener ${name} active`),
  ].sort();
  const held = async (): Promise<string[]> =>
    (await member.process.configDump())
      .filter(({ kind }) => kind !== 'route')
      .map(({ kind, name, state, detail }) => `${kind} ${name} ${state}${detail}`)
      .sort();
  await until('Envoy takes everything into use', async () => (await held()).join() === wanted.join(), 5000).catch(() => {});
  expect(await held()).toEqual(wanted);
  expect(member.relay.refusals).toEqual([]);
}

describe.skipIf('missing' in envoy)('a real Envoy takes what our control plane sends', () => {
  const binary = 'path' in envoy ? envoy.path : '';

  for (const variant of ['delta', 'sotw'] as const) {
    for (const member of [SIDECAR, ROUTER]) {
      it(`${variant}, ${member.role}: everything that the tables configure`, async () => {
        await using mesh = await TestMesh.start(EVERYTHING, ['IST0101']);
        await using client = await MeshEnvoy.start(binary, mesh, { ...member, variant, name: 'client' });
        const node = nodeOf(mesh, 'client', member.labels);
        await expectAllActive(mesh, client, node);
        const routes = (await client.process.configDump()).filter(({ kind }) => kind === 'route').map(({ name }) => name);
        expect(routes.sort()).toEqual(member === SIDECAR ? ['80'] : ['http.80']);
      });

      it(`${variant}, ${member.role}: a change, and the way back`, async () => {
        const small = documents(service('echo'), subsets('echo', ['v1', 'v2']), gateway.yaml);
        await using mesh = await TestMesh.start(small);
        await using client = await MeshEnvoy.start(binary, mesh, { ...member, variant, name: 'client' });
        const node = nodeOf(mesh, 'client', member.labels);
        await mesh.apply(EVERYTHING);
        await expectAllActive(mesh, client, node);
        await mesh.apply(small);
        await expectAllActive(mesh, client, node);
      });
    }
  }

  const platform = hasBookinfo ? readFileSync(join(bookinfo, 'platform-kube/bookinfo.yaml'), 'utf8') : '';
  const rules = hasBookinfo ? readFileSync(join(bookinfo, 'networking/destination-rule-all.yaml'), 'utf8') : '';

  it.skipIf(!hasBookinfo).each([{ ...SIDECAR, labels: { app: 'productpage', version: 'v1' } }, ROUTER])(
    '$role: the bookinfo application under each of its routing files in turn',
    async (member) => {
      await using mesh = await TestMesh.start(platform);
      await using client = await MeshEnvoy.start(binary, mesh, { ...member, variant: 'delta', name: 'client' });
      const node = nodeOf(mesh, 'client', member.labels);
      for (const file of readdirSync(join(bookinfo, 'networking'))
        .sort()
        .filter((name) => name !== NEEDS_DNS)) {
        await mesh.apply(documents(platform, rules, readFileSync(join(bookinfo, 'networking', file), 'utf8')));
        await expectAllActive(mesh, client, node);
      }
    },
  );
});
