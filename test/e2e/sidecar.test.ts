import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterEach, describe, expect, it, vi } from 'vitest';

const entry = (name: string, port: number, target: number): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: ${port}, targetPort: ${target} }] }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}-1 }
`;

describe('a Sidecar', () => {
  const meshes: Mesh[] = [];
  const dirs: string[] = [];
  const servers: Server[] = [];
  afterEach(async () => {
    await Promise.all(meshes.splice(0).map((mesh) => mesh.close({ drainMs: 0 })));
    for (const server of servers.splice(0)) server.close();
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
  });

  function meshDir(yaml: string): string {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-sidecar-'));
    dirs.push(dir);
    writeFileSync(join(dir, 'all.yaml'), yaml);
    return dir;
  }

  function member(service: string, dir: string): Mesh {
    const mesh = createMesh({ service, config: `file:${dir}`, admin: 'off' });
    meshes.push(mesh);
    return mesh;
  }

  it('sends calls to hosts that nobody owns through its egress proxy, on any port', async () => {
    const proxy = createServer((request, response) => response.end(`proxy for ${request.headers.host}`)).listen(0, '127.0.0.1');
    servers.push(proxy);
    await vi.waitFor(() => expect(proxy.listening).toBe(true));
    const { port } = proxy.address() as AddressInfo;
    const dir = meshDir(`${entry('proxy', 3128, 3128)}spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: proxy } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  outboundTrafficPolicy:
    mode: ALLOW_ANY
    egressProxy: { host: proxy.default.svc.cluster.local, port: { number: 3128 } }
`);
    const caller = member('caller', dir);
    await caller.ready();
    expect(await (await caller.fetch('http://unknown.example:9999/')).text()).toBe('proxy for unknown.example:9999');
    expect(await (await caller.fetch('http://unknown.example:3128/')).text()).toBe('proxy for unknown.example:3128');
  });

  it('decides which ports a workload serves in the place of its Services, under the policies of those ports', async () => {
    const policies = (
      port: number,
    ): string => `${entry('web', 80, 9443)}spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web }
spec:
  workloadSelector: { labels: { app: web } }
  ingress: [{ port: { number: 9443, protocol: HTTP, name: http-in }, defaultEndpoint: "127.0.0.1:8080" }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: web }
spec: { action: DENY, rules: [{ to: [{ operation: { ports: ["9443"], paths: [/closed] } }] }] }
`;
    const dir = meshDir(policies(1));
    const web = member('web', dir);
    const { port } = await web.listen((_request, response) => response.end('served'), 9443, { bindPort: 0 });
    writeFileSync(join(dir, 'all.yaml'), policies(port));
    const caller = member('caller', dir);
    await caller.ready();
    await vi.waitFor(async () => expect(await (await caller.fetch('http://web/')).text()).toBe('served'), { timeout: 5000 });
    expect((await caller.fetch('http://web/closed')).status).toBe(403);
  });
});
