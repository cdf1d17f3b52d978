import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FolderMeshes } from './folder-meshes.ts';

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
  const scene = new FolderMeshes();

  it('sends calls to hosts that nobody owns through its egress proxy, on any port', async () => {
    const port = await scene.outside(createServer((request, response) => response.end(`proxy for ${request.headers.host}`)));
    const dir = scene.folder(`${entry('proxy', 3128, 3128)}spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: proxy } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  outboundTrafficPolicy:
    mode: ALLOW_ANY
    egressProxy: { host: proxy.default.svc.cluster.local, port: { number: 3128 } }
`);
    const caller = scene.member(dir, { service: 'caller' });
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
    const dir = scene.folder(policies(1));
    const web = scene.member(dir, { service: 'web' });
    const { port } = await web.listen((_request, response) => response.end('served'), 9443, { bindPort: 0 });
    writeFileSync(join(dir, 'all.yaml'), policies(port));
    const caller = scene.member(dir, { service: 'caller' });
    await caller.ready();
    await vi.waitFor(async () => expect(await (await caller.fetch('http://web/')).text()).toBe('served'), { timeout: 5000 });
    expect((await caller.fetch('http://web/closed')).status).toBe(403);
  });
});
