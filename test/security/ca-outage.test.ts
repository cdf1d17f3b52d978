import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterEach, describe, expect, it } from 'vitest';
import { freePorts } from '../interop/peers/free-ports.ts';
import { until } from '../interop/until.ts';

const MESH = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }, { name: http-other, port: 9081 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;
const TTL_SECONDS = 5;
const LONG_SECONDS = 3_600;

describe('a CA that is away while a certificate has to be renewed', () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** A service and a caller with certificates of these lifetimes, on real time. */
  async function start(webSeconds: number, callerSeconds: number) {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-outage-'));
    cleanups.push(() => rmSync(dir, { recursive: true }));
    writeFileSync(join(dir, 'mesh.yaml'), MESH);
    const [port] = await freePorts(1);
    let plane: ControlPlane | undefined;
    const up = async (): Promise<ControlPlane> => {
      const started = createControlPlane({
        source: join(dir, 'mesh.yaml'),
        stateDir: join(dir, 'state'),
        xds: '',
        xdsTls: `127.0.0.1:${port}`,
        http: '',
      });
      await started.start();
      plane = started;
      return started;
    };
    const down = async (): Promise<void> => {
      await plane?.close();
      plane = undefined;
    };
    cleanups.push(down);
    const { ca, tokens } = await up();
    const logs = { web: [] as string[], caller: [] as string[] };
    const member = (service: 'web' | 'caller', certificateTtlSeconds: number): Mesh => {
      const mesh = createMesh({
        service,
        xds: `grpcs://127.0.0.1:${port}`,
        rootCertificatePem: ca.rootCertificatePem,
        token: tokens.issue({ namespace: 'default', serviceAccount: service, ttlSeconds: LONG_SECONDS }),
        certificateTtlSeconds,
        admin: 'off',
        log: (line) => logs[service].push(line),
      });
      cleanups.push(() => mesh.close({ drainMs: 0 }));
      return mesh;
    };
    const web = member('web', webSeconds);
    for (const port of [9080, 9081]) await web.listen((_request, response) => response.end('ok'), port, { bindPort: 0 });
    const caller = member('caller', callerSeconds);
    const call = async (port = 9080): Promise<{ readonly status: number; readonly body: string }> => {
      const response = await caller.fetch(`http://web:${port}/`);
      return { status: response.status, body: await response.text() };
    };
    await caller.ready();
    await until('the service answers', async () => (await call()).status === 200);
    return { up, down, web, caller, call, logs };
  }

  it.each<[who: 'web' | 'caller', webSeconds: number, callerSeconds: number]>([
    ['caller', LONG_SECONDS, TTL_SECONDS],
    ['web', TTL_SECONDS, LONG_SECONDS],
  ])(
    'is not noticed until the one of %s expires; then no new connection is made, and it is told why; soon after it is back, all is well',
    async (who, web, caller) => {
      const mesh = await start(web, caller);
      await mesh.down();
      let calls = 0;
      for (; mesh[who].health().certificateSerial !== ''; calls++) {
        expect(await mesh.call()).toEqual({ status: 200, body: 'ok' });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(calls).toBeGreaterThan(50);
      // As an Envoy's, connections that stand go on; to the other port there is none.
      expect(await mesh.call()).toEqual({ status: 200, body: 'ok' });
      const refused = await mesh.call(9081);
      expect(refused.status).toBe(503);
      expect(refused.body).toContain('upstream connect error or disconnect/reset before headers');
      const expired = `the certificate of spiffe://cluster.local/ns/default/sa/${who} has expired; mTLS is refused until the CA answers (`;
      expect(mesh.logs[who].join('\n')).toContain(expired);
      expect(mesh.logs[who].join('\n')).toContain('UNAVAILABLE');
      await mesh.up();
      await until('new connections are made again', async () => (await mesh.call(9081)).status === 200, 10_000);
    },
    60_000,
  );
});
