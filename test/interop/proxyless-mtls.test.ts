import { createServer } from 'node:net';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, workloadEntry } from './mesh/yaml.ts';
import { GRPC_JS, type GrpcProgram, METHOD, ProxylessMember } from './proxyless/program.ts';

const { grpcGo } = inject('peers');
if ('missing' in grpcGo) console.log(`skipped: mutual TLS with gRPC-Go: ${grpcGo.missing}`);

const PROGRAMS: ReadonlyMap<string, GrpcProgram> = new Map([
  ['js', GRPC_JS],
  ...('path' in grpcGo ? [['go', { command: grpcGo.path, args: [] }] as const] : []),
]);
const LIBRARIES = [...PROGRAMS.keys()];
const APPS = ['open', 'closed'];

const appYaml = (name: string, app: string, port: number): string =>
  documents(
    `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { selector: { app: ${name} }, ports: [{ name: grpc, port: 7070, targetPort: ${port} }] }
`,
    workloadEntry({ name, app: name, version: 'v1', port, serviceAccount: name }).replace('http:', 'grpc:'),
    `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: default }
spec: { host: ${name}, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`,
    app === 'closed'
      ? `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default }
spec: { selector: { matchLabels: { app: ${name} } } }
`
      : `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default }
spec:
  selector: { matchLabels: { app: ${name} } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client] } }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}-deny, namespace: default }
spec:
  selector: { matchLabels: { app: ${name} } }
  action: DENY
  rules:
  - to: [{ operation: { paths: ["/ripstop.test.Greeter/{*}"] } }]
    when: [{ key: "request.headers[x-deny]", values: ["yes"] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}-dry, namespace: default, annotations: { istio.io/dry-run: "true" } }
spec: { selector: { matchLabels: { app: ${name} } }, action: DENY, rules: [{}] }
`,
  );

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

/** Servers and clients on stock libraries, with certificates of the mesh's CA in files. */
describe('proxyless gRPC in a STRICT mesh', { timeout: 60_000 }, () => {
  const parts = new AsyncDisposableStack();
  const ports = new Map<string, number>();
  const clients = new Map<string, ProxylessMember>();
  let mesh: TestMesh;

  beforeAll(async () => {
    for (const library of LIBRARIES) for (const app of APPS) ports.set(`${app}-${library}`, await freePort());
    const yaml = [...ports].map(([name, port]) => appYaml(name, name.split('-')[0]!, port));
    mesh = parts.use(await TestMesh.start(documents(...yaml, STRICT)));
    for (const [library, program] of PROGRAMS) {
      for (const app of APPS) {
        const name = `${app}-${library}`;
        const server = await ProxylessMember.of(mesh, program, { app: name, serviceAccount: name });
        parts.use(await server.serve(`127.0.0.1:${ports.get(name)}`, name));
      }
      for (const serviceAccount of ['client', 'stranger']) {
        clients.set(`${serviceAccount}-${library}`, await ProxylessMember.of(mesh, program, { app: serviceAccount, serviceAccount }));
      }
    }
  });
  afterAll(() => parts.disposeAsync());

  const call = (account: string, client: string, app: string, server: string, ...args: string[]) =>
    clients.get(`${account}-${client}`)!.call(`xds:///${app}-${server}.default.svc.cluster.local:7070`, args);

  for (const client of LIBRARIES) {
    for (const server of LIBRARIES) {
      it(`${client} → ${server}: the account that may call is served; the dry run changes nothing`, async () => {
        expect(await call('client', client, 'open', server)).toEqual([{ code: 0, reply: `open-${server}` }]);
      });

      it(`${client} → ${server}: another account, what a DENY names, and everybody under an ALLOW without rules is denied`, async () => {
        expect(await call('stranger', client, 'open', server)).toMatchObject([{ code: grpc.status.PERMISSION_DENIED }]);
        expect(await call('client', client, 'open', server, '--headers', 'x-deny=yes')).toMatchObject([
          { code: grpc.status.PERMISSION_DENIED },
        ]);
        expect(await call('client', client, 'closed', server)).toMatchObject([{ code: grpc.status.PERMISSION_DENIED }]);
      });
    }
  }

  it.each(LIBRARIES)('nobody without a certificate is served: %s', async (server) => {
    const client = new grpc.Client(`127.0.0.1:${ports.get(`open-${server}`)}`, grpc.credentials.createInsecure());
    const raw = (bytes: Buffer): Buffer => bytes;
    const code = await new Promise((resolve) => {
      client.makeUnaryRequest(METHOD, raw, raw, Buffer.alloc(0), (error) => resolve(error?.code));
    });
    client.close();
    expect(code).toBe(grpc.status.UNAVAILABLE);
  });

  it('was refused nothing by a library', () => {
    expect(mesh.refusals()).toEqual([]);
  });
});

/** The server's listener carries its port in the name, so the YAML must name it before it listens. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
