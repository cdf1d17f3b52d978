import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createServer, request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh } from '@ripstop/node';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const API = 'gateway.networking.k8s.io/v1';

const service = (name: string, port: number): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: http, port: ${port} }] }\n---\n`;
const EDGE = service('edge', 80).replace(' }] }', ' }, { name: https, port: 443 }] }');
const SERVICES = service('web', 9080) + service('canary', 9080) + EDGE;

const GATEWAY = `apiVersion: ${API}
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: istio
  addresses: [{ type: Hostname, value: edge }]
  listeners: [{ name: http, port: 80, protocol: HTTP, hostname: "*.shop.example" }]
---
apiVersion: ${API}
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ name: edge, sectionName: http }]
  hostnames: [www.shop.example]
  rules:
    - matches: [{ path: { type: PathPrefix, value: / } }]
      backendRefs: [{ name: web, port: 9080, weight: 1 }, { name: canary, port: 9080, weight: 1 }]
    - matches: [{ path: { type: PathPrefix, value: /missing } }]
      backendRefs: [{ name: gone, port: 9080 }]
---
apiVersion: ${API}
kind: HTTPRoute
metadata: { name: testers }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [www.shop.example]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /api }, headers: [{ name: tester, value: "yes" }] }]
      filters:
        - { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: seen, value: by-gateway }] } }
      backendRefs: [{ name: canary, port: 9080 }]
---
`;

const MESH_ROUTE = `apiVersion: ${API}
kind: HTTPRoute
metadata: { name: web-in-the-mesh }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - matches: [{ headers: [{ name: tester, value: "yes" }] }]
      backendRefs: [{ name: canary, port: 9080 }]
    - backendRefs: [{ name: web, port: 9080 }]
---
`;

/** A backend outside of the mesh that speaks TLS, with a CA of its own. */
const secure = (port: number, ca: string, hostname: string): string =>
  [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'backend-ca' }, data: { 'ca.crt': ca } },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'secure' },
      spec: {
        hosts: ['secure.example'],
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
        endpoints: [{ address: '127.0.0.1', ports: { http: port } }],
      },
    },
    {
      apiVersion: API,
      kind: 'BackendTLSPolicy',
      metadata: { name: 'secure' },
      spec: {
        targetRefs: [{ group: 'networking.istio.io', kind: 'ServiceEntry', name: 'secure' }],
        validation: { hostname, caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'backend-ca' }] },
      },
    },
  ]
    .map((document) => JSON.stringify(document))
    .join('\n---\n');

const DAY_MS = 86_400_000;

/** A CA and what it issues, PEM. */
function authority(): { readonly root: string; issue(name: string): { readonly certificate: string; readonly key: string } } {
  const time = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS };
  const { certificatePem, keyPair } = createSelfSignedRoot({ organization: 'test', ...time });
  return {
    root: certificatePem,
    issue: (name) => {
      const { publicKey, privateKey } = createKeyPair();
      const request = { publicKey, names: { dns: [name] }, isCa: false, ...time };
      return { certificate: issueCertificate({ certificatePem, privateKey: keyPair.privateKey }, request), key: privateKeyPem(privateKey) };
    },
  };
}

describe('the Gateway API, from the YAML to the reply', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-gateway-api-'));
  const meshes: Mesh[] = [];
  let plane: ControlPlane;
  let client: Mesh;
  let gateway: Gateway;

  function member(name: string, role: 'sidecar' | 'router' = 'sidecar'): Mesh {
    const mesh = createMesh({
      role,
      service: name,
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: plane.tokens.issue({ namespace: 'default', serviceAccount: name, ttlSeconds: 60 }),
      ports: 'auto',
      admin: 'off',
    });
    meshes.push(mesh);
    return mesh;
  }

  async function save(...documents: readonly string[]): Promise<void> {
    writeFileSync(join(dir, 'mesh.tmp'), [SERVICES, ...documents].join(''));
    renameSync(join(dir, 'mesh.tmp'), join(dir, 'all.yaml'));
    await vi.waitFor(() => expect(plane.syncState().every(({ synced }) => synced)).toBe(true), { timeout: 5_000 });
  }

  beforeAll(async () => {
    writeFileSync(join(dir, 'all.yaml'), SERVICES + GATEWAY);
    plane = createControlPlane({ source: dir, xds: '', xdsTls: '127.0.0.1:0', http: '' });
    await plane.start();
    for (const name of ['web', 'canary']) {
      const mesh = member(name);
      await mesh.listen((request, response) => response.end(`${name} ${request.url} ${request.headers.seen ?? ''}`.trim()), 9080);
    }
    client = member('client');
    await client.ready();
    gateway = createGateway({ mesh: member('edge', 'router'), ports: { 80: 0, 443: 0 } });
    await gateway.start();
    await vi.waitFor(async () => expect((await ask('/')).status).toBe(200), { timeout: 10_000 });
  });

  afterAll(async () => {
    await gateway?.close({ drainMs: 0 });
    await Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await plane?.close();
    rmSync(dir, { recursive: true });
  });

  /** Through the gateway, with a Host of its own; over TLS with the CA that is trusted. */
  function ask(
    path: string,
    headers: Readonly<Record<string, string>> = {},
    tls?: { readonly port: number; readonly ca: string },
  ): Promise<{ status: number; text: string }> {
    const { address, port } = gateway.addresses().find(({ listenerPort }) => listenerPort === (tls?.port ?? 80))!;
    const all = { host: 'www.shop.example', ...headers };
    return new Promise((resolve, reject) => {
      const onResponse = (response: IncomingMessage): void => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      };
      const options = { host: address, port, path, headers: all };
      const sent =
        tls === undefined ? request(options, onResponse) : secureRequest({ ...options, ca: tls.ca, servername: all.host }, onResponse);
      sent.on('error', reject).end();
    });
  }

  const names = async (count: number): Promise<Set<string>> => {
    const answers = await Promise.all(Array.from({ length: count }, () => ask('/')));
    return new Set(answers.map(({ text }) => text.split(' ')[0]!));
  };

  it('splits by weight between two Services', async () => {
    expect(await names(60)).toEqual(new Set(['web', 'canary']));
  });

  it('asks the longest prefix of all routes first, by header, and rewrites path and headers', async () => {
    expect(await ask('/api/cart?x=1', { tester: 'yes' })).toEqual({ status: 200, text: 'canary /cart?x=1 by-gateway' });
    expect((await ask('/api/cart')).text).toMatch(/^(web|canary) \/api\/cart$/);
  });

  it('answers 500 for a backend that does not exist, and 404 for a host that no route has', async () => {
    expect((await ask('/missing')).status).toBe(500);
    expect((await ask('/', { host: 'other.shop.example' })).status).toBe(404);
  });

  it('serves an HTTPS listener with the certificate of its Secret', async () => {
    const ca = authority();
    const { certificate, key } = ca.issue('www.shop.example');
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'shop-cert' },
      stringData: { 'tls.crt': certificate, 'tls.key': key },
    };
    const https =
      '{ name: https, port: 443, protocol: HTTPS, hostname: "*.shop.example", tls: { certificateRefs: [{ name: shop-cert }] } }';
    await save(
      GATEWAY.replace('sectionName: http', 'sectionName: https').replace('listeners: [', `listeners: [${https}, `),
      JSON.stringify(secret),
    );
    await vi.waitFor(() => expect(gateway.addresses()).toHaveLength(2), { timeout: 5_000 });
    const call = async (): Promise<string> => (await ask('/', {}, { port: 443, ca: ca.root })).text;
    await expect.poll(() => call().catch(String), { timeout: 5_000 }).toMatch(/^(web|canary) \/$/);
    // The weighted route is for the HTTPS listener now.
    expect((await ask('/')).status).toBe(404);
  });

  it('routes a client of the mesh by an HTTPRoute of the Service that it calls', async () => {
    const call = async (headers: Readonly<Record<string, string>>): Promise<string> =>
      (await client.fetch('http://web:9080/a', { headers })).text();
    await save(GATEWAY, MESH_ROUTE);
    await expect.poll(() => call({ tester: 'yes' }), { timeout: 5_000 }).toBe('canary /a');
    expect(await call({})).toBe('web /a');
  });

  it('calls a backend by TLS when a BackendTLSPolicy says so, and only the one that it names', async () => {
    const ca = authority();
    const { certificate: cert, key } = ca.issue('secure.internal');
    const server = createServer({ cert, key }, (_request, response) => response.end('by TLS'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const call = async (): Promise<string> => (await client.fetch('http://secure.example/')).text();
      const becomes = (text: string): Promise<void> => expect.poll(call, { timeout: 5_000 }).toContain(text);
      await save(secure(port, ca.root, 'secure.internal'));
      await becomes('by TLS');
      // A certificate of this CA, for another name.
      await save(secure(port, ca.root, 'another.internal'));
      await becomes('remote connection failure');
      await save(secure(port, ca.root, 'secure.internal'));
      await becomes('by TLS');
      // No CA: nobody is trusted.
      await save(secure(port, 'none', 'secure.internal'));
      await becomes('remote connection failure');
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
