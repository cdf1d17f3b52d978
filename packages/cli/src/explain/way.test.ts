import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlPlane } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Members, membersOfControlPlane, membersOfFolder } from './members.ts';
import { explainQuestion } from './question.ts';
import { explainWay, type Way, wayAsJson } from './way.ts';

const MESH = `apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 80, targetPort: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: frontend-read, namespace: shop }
spec:
  selector: { matchLabels: { app: reviews } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/shop/sa/frontend] } }], to: [{ operation: { methods: [GET] } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http: [{ match: [{ uri: { prefix: /r/ } }], rewrite: { uri: /reviews/ }, route: [{ destination: { host: reviews } }] }]
`;
const ENTRY = `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-v1, namespace: shop }
spec: { address: 10.0.0.7, labels: { app: reviews, security.istio.io/tlsMode: istio }, serviceAccount: reviews }
`;

const dir = mkdtempSync(join(tmpdir(), 'ripstop-way-'));
const file = join(dir, 'mesh.yaml');
afterAll(() => rmSync(dir, { recursive: true }));

async function ask(members: Members, from: string, method: string, path = '/r/1'): Promise<Way> {
  return explainWay(members, await members.find(from, 'shop'), { method, url: `http://reviews${path}` });
}

describe('the way of a request through a folder of YAML', () => {
  beforeAll(() => writeFileSync(file, MESH + ENTRY));

  it("leads from the caller's route to the service's policies, over the path that was rewritten", async () => {
    const { legs, openEnd } = await ask(await membersOfFolder([dir], 'cluster.local'), 'frontend', 'GET');
    expect(openEnd).toBe('');
    expect(legs.map(({ who }) => who)).toEqual([
      'frontend.shop sends GET http://reviews/r/1',
      'reviews-v1.shop receives GET /reviews/1 at 10.0.0.7:9080',
    ]);
    expect(legs[1]!.explanation.verdict).toEqual({ kind: 'serve' });
    expect(String(legs[1]!.explanation)).toContain('mutual TLS as spiffe://cluster.local/ns/shop/sa/frontend to port 9080');
  });

  it('ends where somebody refuses', async () => {
    const members = await membersOfFolder([dir], 'cluster.local');
    const denied = await ask(members, 'frontend', 'POST');
    expect(denied.legs.at(-1)!.explanation.verdict).toMatchObject({ kind: 'reply', status: 403 });
    const lost = await ask(members, 'frontend', 'GET', '/');
    expect(lost.legs).toHaveLength(1);
    expect(lost.legs[0]!.explanation.verdict).toMatchObject({ kind: 'reply', status: 404, flags: 'NR' });
  });
});

describe('the way of a request through a running mesh', () => {
  const meshes: Mesh[] = [];
  let plane: ReturnType<typeof createControlPlane>;

  beforeAll(async () => {
    writeFileSync(file, MESH);
    plane = createControlPlane({ source: dir, xds: '', xdsTls: '127.0.0.1:0', http: '127.0.0.1:0' });
    await plane.start();
    for (const service of ['reviews', 'frontend']) {
      const mesh = createMesh({
        service,
        namespace: 'shop',
        xds: `grpcs://${plane.addresses.xdsTls}`,
        rootCertificatePem: plane.ca.rootCertificatePem,
        token: plane.tokens.issue({ namespace: 'shop', serviceAccount: service, ttlSeconds: 60 }),
        admin: 'off',
      });
      meshes.push(mesh);
      await mesh.listen((_request, response) => response.end('ok'), 9080, { bindPort: 0 });
    }
  });
  afterAll(async () => {
    await Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await plane.close();
  });

  it('says what the processes do', async () => {
    const members = membersOfControlPlane({ http: plane.addresses.http, stateDir: dir });
    const [, frontend] = meshes;
    for (const method of ['GET', 'POST']) {
      const { legs } = await ask(members, 'frontend', method);
      const { status } = await frontend!.fetch('http://reviews/r/1', { method });
      const { verdict } = legs.at(-1)!.explanation;
      expect(legs).toHaveLength(2);
      expect(verdict.kind === 'reply' ? verdict.status : 200).toBe(status);
    }
  });

  it('answers the live page with the same', async () => {
    const options = { http: plane.addresses.http, stateDir: dir };
    const question = { from: 'frontend', namespace: 'shop', method: 'POST', url: 'http://reviews/r/1', headers: [] };
    const members = membersOfControlPlane(options);
    const answer = await explainQuestion(options, question);
    expect(answer).toEqual(wayAsJson(await ask(members, 'frontend', 'POST')));
    expect(answer).toMatchObject({ legs: [{ verdict: { kind: 'forward' } }, { verdict: { kind: 'reply', status: 403 } }] });
  });

  it('names who is connected when a name is not', async () => {
    const members = membersOfControlPlane({ http: plane.addresses.http, stateDir: dir });
    await expect(members.find('nobody', 'shop')).rejects.toThrow(/no client nobody\.shop is connected; connected are: frontend-/);
  });
});
