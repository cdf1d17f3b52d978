import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meshPlugin } from '@ripstop/fastify';
import { createMesh, type Mesh } from '@ripstop/node';
import { createSelfSignedRoot, privateKeyPem } from '@ripstop/pki';
import fastify, { type FastifyInstance } from 'fastify';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const DENY_ADMIN = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny-admin }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }
`;

let folder: string;
let mesh: Mesh;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ripstop-own-tls-'));
  writeFileSync(join(folder, 'mesh.yaml'), DENY_ADMIN);
  mesh = createMesh({ service: 'web', config: `file:${folder}`, admin: 'off', ports: 'auto' });
});
afterEach(async () => {
  await mesh.close({ drainMs: 0 });
  rmSync(folder, { recursive: true });
});

/** Speaks HTTP/2 and HTTP/1.1 over TLS of its own. */
function createApp(): FastifyInstance {
  const now = Date.now();
  const root = createSelfSignedRoot({ organization: 'shop', notBeforeMs: now - 60_000, notAfterMs: now + 3_600_000 });
  const https = { key: privateKeyPem(root.keyPair.privateKey), cert: root.certificatePem, allowHTTP1: true };
  const app = fastify({ http2: true, https } as object) as unknown as FastifyInstance;
  app.get('/admin', async () => 'admin');
  app.get('/public', async ({ raw }) => raw.httpVersion);
  return app;
}

type Answer = readonly [status: number, body: string];

async function byHttp2(port: number, path: string): Promise<Answer> {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  let body = '';
  for await (const chunk of stream) body += chunk;
  session.close();
  return [Number(headers[':status']), body];
}

async function byHttp1(port: number, path: string): Promise<Answer> {
  const agent = new Agent({ connect: { rejectUnauthorized: false }, allowH2: false });
  const { statusCode, body } = await request(`https://127.0.0.1:${port}${path}`, { dispatcher: agent });
  const text = await body.text();
  await agent.close();
  return [statusCode, text];
}

describe('a Fastify app with HTTP/2 and TLS of its own', () => {
  it.each([
    ['by the plugin', byPlugin],
    ['by mesh.listen', async (app: FastifyInstance) => (await mesh.listen(app, 9080)).port],
  ])('has the policies of the mesh in front of both protocols, served %s', async (_how, listen) => {
    const app = createApp();
    const port = await listen(app);
    const denied: Answer = [403, 'RBAC: access denied'];
    expect([await byHttp2(port, '/admin'), await byHttp2(port, '/Admin/../admin')]).toEqual([denied, denied]);
    expect([await byHttp1(port, '/admin'), await byHttp1(port, '/%61dmin')]).toEqual([denied, denied]);
    expect([await byHttp2(port, '/public'), await byHttp1(port, '/public')]).toEqual([
      [200, '2.0'],
      [200, '1.1'],
    ]);
    await mesh.close({ drainMs: 0 });
    await app.close();
  });
});

async function byPlugin(app: FastifyInstance): Promise<number> {
  await app.register(meshPlugin, { mesh, port: 9080 });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.addresses()[0] as AddressInfo).port;
}
