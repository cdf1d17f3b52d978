import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from '@ripstop/node';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { meshMiddleware } from './index.ts';

const YAML = `apiVersion: v1
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
  dir = mkdtempSync(join(tmpdir(), 'ripstop-express-'));
  writeFileSync(join(dir, 'mesh.yaml'), YAML);
  mesh = createMesh({ service: 'web', config: `file:${dir}`, admin: 'off' });
});
afterEach(async () => {
  await mesh.close({ drainMs: 0 });
  rmSync(dir, { recursive: true });
});

describe('an Express app in the mesh', () => {
  it('sees its caller on req.mesh, and policies come before all middleware', async () => {
    const passed: string[] = [];
    const app = express();
    app.use((request, _response, next) => {
      passed.push(request.url);
      next();
    });
    app.use(meshMiddleware(mesh));
    app.use(express.json());
    app.post('/echo', (request, response) => {
      response.status(201).json({ body: request.body, from: request.mesh.peer?.address, same: request.mesh.mesh === mesh });
    });
    app.get('/admin', (_request, response) => response.send('admin'));
    const { port } = await mesh.listen(app, 9080, { bindPort: 0 });
    const base = `http://127.0.0.1:${port}`;

    const echo = await fetch(`${base}/echo`, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } });
    expect([echo.status, await echo.json()]).toEqual([201, { body: { a: 1 }, from: '127.0.0.1', same: true }]);
    expect((await fetch(`${base}/admin`)).status).toBe(403);
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
    expect(passed).toEqual(['/echo', '/nothing']);
  });

  it('answers a handler that throws with Express’s 500, and goes on', async () => {
    const app = express();
    app.set('env', 'test');
    app.get('/broken', () => {
      throw new Error('boom');
    });
    app.get('/fine', (_request, response) => response.send('ok'));
    const { port } = await mesh.listen(app, 9080, { bindPort: 0 });
    expect((await fetch(`http://127.0.0.1:${port}/broken`)).status).toBe(500);
    expect(await (await fetch(`http://127.0.0.1:${port}/fine`)).text()).toBe('ok');
  });
});
