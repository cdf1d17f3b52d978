import type { Identity } from '@ripstop/identity';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientTls, RawClient, type RawResponse } from '../../packages/server/src/testing/raw-client.ts';
import { TestMesh } from '../interop/mesh/test-mesh.ts';
import { workloadIdentity } from '../interop/mesh/workload-identity.ts';
import { documents, service } from '../interop/mesh/yaml.ts';
import { createApp, type Framework, type Seen } from './corpus/apps.ts';
import type { Expected, Mode, Row } from './corpus/row.ts';
import { POLICY, ROWS } from './corpus/rows.ts';

const FRAMEWORKS: readonly Framework[] = ['node:http', 'Express 5', 'Fastify 5'];
const MODES: readonly Mode[] = ['BASE', 'DECODE_AND_MERGE_SLASHES'];
const TRANSPORTS = ['plaintext', 'mTLS'] as const;
const PORT = 9080;

/** In a file called mesh.yaml, as TestMesh writes it, a document without kind. */
const meshConfig = (mode: Mode): string => `pathNormalization: { normalization: ${mode} }
`;

interface Target {
  readonly port: number;
  readonly seen: Seen[];
}

describe.each(MODES)('attacks on the HTTP door, pathNormalization %s', (mode) => {
  let world: TestMesh;
  let identity: Identity;
  let evil: Identity;
  const meshes: Mesh[] = [];
  const targets = new Map<Framework, Target>();

  beforeAll(async () => {
    const services = FRAMEWORKS.map((_framework, index) => service(`app-${index}`, { port: 80, targetPort: PORT }));
    world = await TestMesh.start(documents(meshConfig(mode), ...services, POLICY));
    const { controlPlane } = world;
    for (const [index, framework] of FRAMEWORKS.entries()) {
      const name = `app-${index}`;
      const mesh = createMesh({
        service: name,
        xds: `grpcs://${controlPlane.addresses.xdsTls}`,
        token: controlPlane.tokens.issue({ namespace: 'default', serviceAccount: name, ttlSeconds: 3600 }),
        rootCertificatePem: controlPlane.ca.rootCertificatePem,
        admin: 'off',
        ports: 'auto',
      });
      meshes.push(mesh);
      const seen: Seen[] = [];
      const { port } = await mesh.listen(await createApp(framework, (request) => seen.push(request)), PORT);
      targets.set(framework, { port, seen });
    }
    identity = await workloadIdentity(world, 'caller');
    evil = await workloadIdentity(world, 'evil');
    await world.synced();
  });

  afterAll(async () => {
    identity?.close();
    evil?.close();
    await Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await world?.[Symbol.asyncDispose]();
  });

  const tlsOf = (who: Identity): ClientTls => {
    const { certificateChainPem: cert, privateKeyPem: key } = who.current()!;
    return { cert, key, ALPNProtocols: ['istio-http/1.1', 'istio'] };
  };

  async function send(target: Target, bytes: string, tls?: ClientTls): Promise<RawResponse> {
    target.seen.splice(0);
    const client = await RawClient.open(target.port, tls);
    client.write(bytes);
    const response = await client.response(bytes.startsWith('HEAD') ? 'HEAD' : 'GET');
    client.close();
    return response;
  }

  function judge(expected: Expected, response: RawResponse, { seen }: Target): void {
    if (expected === 'D') {
      expect([response.status, response.body]).toEqual([403, 'RBAC: access denied']);
      expect(seen).toEqual([]);
    } else if (typeof expected === 'number') {
      expect(response.status).toBe(expected);
      expect(seen).toEqual([]);
    } else {
      expect(response.status).toBe(expected.status ?? 200);
      expect(seen).toHaveLength(1);
      const { path, host, headers = {} } = expected;
      if (path !== undefined) expect(seen[0]!.path).toBe(path);
      if (host !== undefined) expect(seen[0]!.host).toBe(host);
      for (const [name, value] of Object.entries(headers)) expect(seen[0]!.headers[name]).toBe(value);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  }

  const rows = ROWS.filter((row) => row.mode === undefined || row.mode === mode);

  describe.each(FRAMEWORKS)('%s', (framework) => {
    describe.each(TRANSPORTS)('%s', (transport) => {
      it.each(rows.map((row) => ({ title: `${row.id} ${row.name}`.slice(0, 80), row })))('$title', async ({ row }: { row: Row }) => {
        const target = targets.get(framework)!;
        const mutual = transport === 'mTLS';
        const response = await send(target, row.bytes, mutual ? tlsOf(identity) : undefined);
        judge(mutual ? (row.mutual ?? row.expected) : row.expected, response, target);
      });

      it('S50 pipelined requests are judged one by one, and answered in order', async () => {
        const target = targets.get(framework)!;
        target.seen.splice(0);
        const client = await RawClient.open(target.port, transport === 'mTLS' ? tlsOf(identity) : undefined);
        client.write(['/public', '/admin', '/public?2'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
        const statuses = [await client.response(), await client.response(), await client.response()].map(({ status }) => status);
        client.close();
        expect(statuses).toEqual([200, 403, 200]);
        expect(target.seen.map(({ path }) => path)).toEqual(['/public', '/public?2']);
      });

      it('S46 bytes behind a denied upgrade or CONNECT reach nobody', async () => {
        const target = targets.get(framework)!;
        for (const first of [
          'GET /admin HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
          'CONNECT evil:443 HTTP/1.1\r\nHost: a\r\n\r\n',
        ]) {
          target.seen.splice(0);
          const client = await RawClient.open(target.port, transport === 'mTLS' ? tlsOf(identity) : undefined);
          client.write(`${first}GET /public HTTP/1.1\r\nHost: a\r\n\r\n`);
          expect((await client.response()).status).toBeGreaterThanOrEqual(403);
          await client.rest().finally(() => client.close());
          expect(target.seen).toEqual([]);
        }
      });
    });

    it('S62 a principal that is denied is denied', async () => {
      const target = targets.get(framework)!;
      judge('D', await send(target, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', tlsOf(evil)), target);
    });
  });
});
