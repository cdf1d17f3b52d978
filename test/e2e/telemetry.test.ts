import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FolderMeshes, webAt } from './folder-meshes.ts';

const meshYaml = (port: number): string => `${webAt(port)}---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  accessLogging:
  - providers: [{ name: json }]
    filter: { expression: "response.code >= 400 || request.headers['x-debug'] == 'yes'" }
  metrics:
  - overrides:
    - { match: { metric: REQUEST_SIZE }, disabled: true }
    - match: { metric: REQUEST_COUNT }
      tagOverrides:
        request_method: { operation: UPSERT, value: request.method }
        response_flags: { operation: REMOVE }
`;

describe('Telemetry of one workload', () => {
  const scene = new FolderMeshes();

  it('decides what its access log holds and how its metrics are counted', async () => {
    const dir = scene.folder();
    const log = join(dir, 'access.log');
    const labels = {
      code: '%RESPONSE_CODE%',
      sent: '%RESP(x-kind)%',
      path: '%REQ(:PATH)%',
      took: '%RESPONSE_DURATION%',
      body: '%REQUEST_DURATION%',
      service: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
    };
    const config = {
      extensionProviders: [{ name: 'json', envoyFileAccessLog: { path: log, logFormat: { labels } } }],
    };
    mkMesh(dir, config, 1);
    const web = scene.member(dir, { service: 'web', admin: '127.0.0.1:0' });
    const { port } = await web.listen(
      (request, response) => {
        request.resume().on('end', () => {
          response.writeHead(request.url === '/missing' ? 404 : 200, { 'x-kind': 'app', 'x-more': 'a' });
          response.end('served');
        });
      },
      9080,
      { bindPort: 0 },
    );
    mkMesh(dir, config, port);
    const caller = scene.member(dir, { service: 'caller' });
    await caller.ready();
    await vi.waitFor(async () => expect((await caller.fetch('http://web:9080/')).status).toBe(200), { timeout: 5000 });
    expect((await caller.fetch('http://web:9080/missing', { method: 'POST', body: 'abc' })).status).toBe(404);
    expect((await caller.fetch('http://web:9080/debug', { headers: { 'x-debug': 'yes' } })).status).toBe(200);

    const lines = await vi.waitFor(() => {
      const found = readFileSync(log, 'utf8').trim().split('\n');
      expect(found).toHaveLength(2);
      return found.map((line) => JSON.parse(line) as Record<string, unknown>);
    });
    const time = expect.any(Number);
    expect(lines).toEqual([
      { body: time, code: 404, path: '/missing', sent: 'app', service: expect.stringMatching(/^\d+$/), took: time },
      { body: 0, code: 200, path: '/debug', sent: 'app', service: expect.stringMatching(/^\d+$/), took: time },
    ]);

    const stats = await (await fetch(`http://${web.adminAddress}/stats/prometheus`)).text();
    const counter = stats.split('\n').filter((line) => line.startsWith('istio_requests_total{') && line.includes('response_code="404"'));
    expect(counter).toHaveLength(1);
    expect(counter[0]).toContain('request_method="POST"');
    expect(counter[0]).not.toContain('response_flags=');
    expect(stats).not.toMatch(/^istio_request_bytes_count/m);
    expect(stats).toMatch(/^istio_response_bytes_count\{.*response_flags="-"/m);
  });
});

function mkMesh(dir: string, mesh: object, port: number): void {
  writeFileSync(join(dir, 'mesh.yaml'), JSON.stringify(mesh));
  writeFileSync(join(dir, 'web.yaml'), meshYaml(port));
}
