import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Mesh } from '@ripstop/node';
import { describe, expect, it, vi } from 'vitest';
import { FolderMeshes } from './folder-meshes.ts';

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
  const scene = new FolderMeshes();

  async function caller(patch: object): Promise<{ readonly mesh: Mesh; readonly file: string; readonly port: number }> {
    const port = await scene.outside(createServer((request, response) => response.end(`app ${request.headers['x-patched'] ?? ''}`)));
    const dir = scene.folder(documents(port, patch));
    return { mesh: scene.member(dir, { service: 'caller' }), file: join(dir, 'all.yaml'), port };
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
    const patch = { ...first('envoy.filters.http.lua', lua), match: { context: 'SIDECAR_INBOUND' } };
    const mesh = scene.member(scene.folder(documents(1, patch)), { service: 'web' });
    const { port } = await mesh.listen((_request, response) => response.end('served'), 80, { bindPort: 0 });
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });
});
