import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { webAt } from './folder-meshes.ts';

const dir = mkdtempSync(join(tmpdir(), 'ripstop-unenforced-'));

const meshYaml = (port: number): string => `${webAt(port)}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: web, port: { number: 9080 } } }] }] }
`;

const policy = (kind: string, api: string, spec: string): string =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: p }\nspec: ${spec}\n`;
const authorization = (spec: string): string => policy('AuthorizationPolicy', 'security.istio.io/v1', spec);
const OPEN = [200, 200];

describe('policies, from the YAML to the reply', () => {
  let web: Mesh;
  let edge: Mesh;
  let gateway: Gateway;

  beforeAll(async () => {
    const config = `file:${dir}`;
    writeFileSync(join(dir, 'mesh.txt.yaml'), meshYaml(1));
    web = createMesh({ service: 'web', config, admin: 'off' });
    const { port } = await web.listen((_request, response) => response.end('served'), 9080, { bindPort: 0 });
    writeFileSync(join(dir, 'mesh.txt.yaml'), meshYaml(port));
    edge = createMesh({ role: 'router', service: 'edge', config, admin: 'off' });
    gateway = createGateway({ mesh: edge, ports: { 80: 0 } });
    await gateway.start();
    await vi.waitFor(async () => expect(await statuses()).toEqual(OPEN), { timeout: 5_000 });
  });

  afterAll(async () => {
    await gateway?.close({ drainMs: 0 });
    await Promise.all([edge, web].map((mesh) => mesh?.close({ drainMs: 0 })));
    rmSync(dir, { recursive: true });
  });

  /** Of /admin and /other, through the gateway. */
  async function statuses(): Promise<number[]> {
    const { address, port } = gateway.addresses()[0]!;
    const paths = ['/admin', '/other'];
    return Promise.all(paths.map(async (path) => (await fetch(`http://${address}:${port}${path}`)).status));
  }

  it.each([
    [
      'a DENY for the gateway',
      authorization('{ selector: { matchLabels: { app: edge } }, action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }'),
      [403, 200],
    ],
    [
      'what a CUSTOM policy speaks of',
      authorization(
        '{ selector: { matchLabels: { app: web } }, action: CUSTOM, provider: { name: x }, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }',
      ),
      [403, 200],
    ],
    [
      'a gateway with a plugin that authorizes',
      policy(
        'WasmPlugin',
        'extensions.istio.io/v1alpha1',
        '{ selector: { matchLabels: { app: edge } }, url: file:///plugin.wasm, phase: AUTHZ }',
      ),
      [403, 403],
    ],
  ])('deny %s, and are gone with their file', async (_what, text, denied) => {
    const file = join(dir, 'policy.yaml');
    writeFileSync(file, text);
    await expect.poll(statuses, { timeout: 5_000 }).toEqual(denied);
    rmSync(file);
    await expect.poll(statuses, { timeout: 5_000 }).toEqual(OPEN);
  });
});
