import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh } from '@ripstop/node';
import { expect, it } from 'vitest';

const policy = (name: string, spec: string, annotations = ''): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}${annotations} }
spec: ${spec}
`;
const DRY_RUN = ', annotations: { istio.io/dry-run: "true" }';
const YAML = [
  `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 9080, targetPort: 9080 }] }
`,
  policy('watch', '{ action: AUDIT, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }'),
  policy('try', '{ action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }', DRY_RUN),
].join('---\n');

it('AUDIT and dry-run policies refuse nobody: the log and the metrics say what they match', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-audit-'));
  writeFileSync(join(dir, 'mesh.yaml'), YAML);
  const lines: string[] = [];
  const web = createMesh({ service: 'web', config: `file:${dir}`, admin: '127.0.0.1:0', log: (line) => lines.push(line) });
  try {
    const { port } = await web.listen((_request, response) => void response.end('served'), 9080, { bindPort: 0 });
    for (const path of ['/admin?token=secret', '/admin', '/']) expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(200);
    const audited = lines.filter((line) => line.startsWith('audit: '));
    expect(audited).toHaveLength(2);
    expect(audited[0]).toMatch(/^audit: ns\[default\]-policy\[watch\]-rule\[0\]: GET "127\.0\.0\.1:\d+\/admin" by 127\.0\.0\.1$/);
    const metrics = await (await fetch(`http://${web.adminAddress}/stats/prometheus`)).text();
    expect(metrics.split('\n').filter((line) => line.startsWith('envoy_http_inbound_0_0_0_0_9080'))).toEqual([
      'envoy_http_inbound_0_0_0_0_9080_rbac{authz_dry_run_action="deny",authz_dry_run_result="allowed"} 1',
      'envoy_http_inbound_0_0_0_0_9080_rbac{authz_dry_run_action="deny",authz_dry_run_result="denied"} 2',
    ]);
  } finally {
    await web.close({ drainMs: 0 });
    rmSync(dir, { recursive: true });
  }
});
