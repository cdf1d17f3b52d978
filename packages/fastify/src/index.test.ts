import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from '@ripstop/node';
import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { meshPlugin } from './index.ts';

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

let dir: string;
let mesh: Mesh;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-fastify-'));
  writeFileSync(join(dir, 'mesh.yaml'), DENY_ADMIN);
  mesh = createMesh({ service: 'web', config: `file:${dir}`, admin: 'off' });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await mesh.close({ drainMs: 0 });
  rmSync(dir, { recursive: true });
});

/** As on machines with 127.0.0.1 and ::1. */
function giveLocalhostTwoAddresses(): void {
  const { lookup } = dns;
  vi.spyOn(dns, 'lookup').mockImplementation(((name: string, options: { all?: boolean }, done: (...args: unknown[]) => void) => {
    if (name !== 'localhost' || options.all !== true) lookup(name, options, done);
    else
      done(
        null,
        ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
      );
  }) as typeof dns.lookup);
}

async function statuses(base: string): Promise<number[]> {
  return Promise.all(['/admin', '/public'].map(async (path) => (await fetch(base + path)).status));
}

describe('the Fastify plugin', () => {
  it('guards every address that the app listens on, also of routes that were there before it', async () => {
    const app = fastify();
    app.get('/admin', async () => 'admin');
    await app.register(async (child) => void child.get('/public', async (request) => String(request.mesh.peer?.address)));
    await app.register(meshPlugin, { mesh, port: 9080 });
    giveLocalhostTwoAddresses();
    await app.listen({ port: 0 });
    const addresses = app.addresses() as AddressInfo[];
    for (const { address, port, family } of addresses)
      expect(await statuses(`http://${family === 'IPv6' ? `[${address}]` : address}:${port}`)).toEqual([403, 200]);
    await app.close();
  });

  it('closes with the app, and the app with it', async () => {
    const app = fastify();
    await app.register(meshPlugin, { mesh, port: 9080 });
    app.get('/public', async () => 'ok');
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.addresses()[0] as AddressInfo;
    await app.close();
    expect(mesh.health().state).toBe('draining');
    await expect(fetch(`http://127.0.0.1:${port}/public`)).rejects.toThrow();
  });

  it('leaves inject to tests: there is no caller', async () => {
    const app = fastify();
    await app.register(meshPlugin, { mesh, port: 9080 });
    app.get('/admin', async (request) => request.mesh.peer ?? 'nobody');
    expect((await app.inject('/admin')).body).toBe('nobody');
    await app.close();
  });

  it('guards an app that speaks HTTP/2', async () => {
    const app = fastify({ http2: true } as object);
    app.get('/admin', async () => 'admin');
    app.get('/public', async (request) => String(request.mesh.peer?.address));
    await app.register(meshPlugin, { mesh, port: 9080 });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const session = connect(`http://127.0.0.1:${(app.addresses()[0] as AddressInfo).port}`);
    expect([await answerOf(session, '/admin'), await answerOf(session, '/public')]).toEqual([
      [403, 'RBAC: access denied'],
      [200, '127.0.0.1'],
    ]);
    session.close();
    await app.close();
  });

  it('refuses what it cannot guard, and to guard twice', async () => {
    const bytes = fastify({ serverFactory: () => createTcpServer() as never });
    await expect(bytes.register(meshPlugin, { mesh, port: 9080 })).rejects.toThrow('serverFactory');
    const app = fastify();
    await app.register(meshPlugin, { mesh, port: 9080 });
    const other = fastify();
    await expect(other.register(meshPlugin, { mesh, port: 9080 })).rejects.toThrow('served already');
    await Promise.allSettled([app, other, bytes].map((one) => one.close()));
  });
});

async function answerOf(session: ClientHttp2Session, path: string): Promise<[status: number | undefined, body: string]> {
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
  let body = '';
  for await (const chunk of stream) body += chunk;
  return [headers[':status'], body];
}
