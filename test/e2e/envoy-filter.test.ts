import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterEach, describe, expect, it, vi } from 'vitest';

const MANAGER = 'envoy.filters.network.http_connection_manager';

/** The app `web` at `port`, and one patch. */
const documents = (port: number, patch: object): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1 }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: web } }
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: patch }
spec: ${JSON.stringify({ configPatches: [patch] })}
`;

const first = (name: string, config: object): object => ({
  applyTo: 'HTTP_FILTER',
  match: { context: 'SIDECAR_OUTBOUND', listener: { filterChain: { filter: { name: MANAGER } } } },
  patch: { operation: 'INSERT_FIRST', value: { name, typed_config: config } },
});

describe('an EnvoyFilter', () => {
  const meshes: Mesh[] = [];
  const dirs: string[] = [];
  const servers: Server[] = [];
  afterEach(async () => {
    await Promise.all(meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
    for (const server of servers.splice(0)) server.close();
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
  });

  async function caller(patch: object): Promise<{ readonly mesh: Mesh; readonly file: string; readonly port: number }> {
    const app = createServer((request, response) => response.end(`app ${request.headers['x-patched'] ?? ''}`)).listen(0, '127.0.0.1');
    servers.push(app);
    await vi.waitFor(() => expect(app.listening).toBe(true));
    const { port } = app.address() as AddressInfo;
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-envoy-filter-'));
    dirs.push(dir);
    const file = join(dir, 'all.yaml');
    writeFileSync(file, documents(port, patch));
    const mesh = createMesh({ service: 'caller', config: `file:${dir}`, admin: 'off' });
    meshes.push(mesh);
    return { mesh, file, port };
  }

  it('changes routes and their hosts', async () => {
    const { mesh } = await caller({
      applyTo: 'HTTP_ROUTE',
      patch: { operation: 'INSERT_FIRST', value: { match: { path: '/teapot' }, direct_response: { status: 418 } } },
    });
    await mesh.ready();
    expect((await mesh.fetch('http://web/teapot')).status).toBe(418);
    expect(await (await mesh.fetch('http://web/')).text()).toBe('app ');
  });

  it('inserts a filter that our processes have', async () => {
    const fault = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault' };
    const abort = { http_status: 429, percentage: { numerator: 100 } };
    const { mesh } = await caller(first('envoy.filters.http.fault', { ...fault, abort }));
    await mesh.ready();
    expect((await mesh.fetch('http://web/')).status).toBe(429);
  });

  it('leaves the last good listeners in force when it inserts one that they do not have', async () => {
    const lua = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', inline_code: 'x' };
    const { mesh, file, port } = await caller({
      applyTo: 'VIRTUAL_HOST',
      patch: { operation: 'MERGE', value: { request_headers_to_add: [{ header: { key: 'x-patched', value: 'yes' } }] } },
    });
    await mesh.ready();
    expect(await (await mesh.fetch('http://web/')).text()).toBe('app yes');
    writeFileSync(file, documents(port, first('envoy.filters.http.lua', lua)));
    await vi.waitFor(async () => expect(await (await mesh.fetch('http://web/')).text()).toBe('app '), { timeout: 5000 });
  });

  it('closes a server that never had other listeners', async () => {
    const lua = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', inline_code: 'x' };
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-envoy-filter-'));
    dirs.push(dir);
    const patch = { ...first('envoy.filters.http.lua', lua), match: { context: 'SIDECAR_INBOUND' } };
    writeFileSync(join(dir, 'all.yaml'), documents(1, patch));
    const mesh = createMesh({ service: 'web', config: `file:${dir}`, admin: 'off' });
    meshes.push(mesh);
    const { port } = await mesh.listen((_request, response) => response.end('served'), 80, { bindPort: 0 });
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });
});
