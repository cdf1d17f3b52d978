import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { type ControlPlane, createControlPlane } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

interface Text {
  readonly text: string;
}

const serialize = (value: Text): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = (bytes: Buffer): Text => JSON.parse(bytes.toString()) as Text;
const greet: grpc.MethodDefinition<Text, Text> = {
  path: '/shop.Greeter/Greet',
  requestStream: false,
  responseStream: false,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
};

const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: greeter }
spec: { selector: { app: greeter }, ports: [{ name: grpc, port: 50051, targetPort: 50051 }] }
`;
const SPLIT = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter }
spec:
  hosts: [greeter]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: greeter, subset: v2 } }]
    - route: [{ destination: { host: greeter, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: greeter }
spec: { host: greeter, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;
const FAULT = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter }
spec:
  hosts: [greeter]
  http:
    - fault: { abort: { grpcStatus: RESOURCE_EXHAUSTED, percentage: { value: 100 } } }
      route: [{ destination: { host: greeter } }]
`;
const STRICT = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: STRICT } }
`;
const ONLY_WEB = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: only-web }
spec: { action: ALLOW, rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/web] } }] }] }
`;

describe('gRPC services of a mesh, from the YAML to the call', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-grpc-'));
  const meshes: Mesh[] = [];
  let plane: ControlPlane;
  let web: Mesh;
  let other: Mesh;
  let ownServer: grpc.Server;
  const clients: grpc.Client[] = [];

  function member(service: string, version = ''): Mesh {
    const mesh = createMesh({
      service,
      version,
      xds: `grpcs://${plane.addresses.xdsTls}`,
      rootCertificatePem: plane.ca.rootCertificatePem,
      token: plane.tokens.issue({ namespace: 'default', serviceAccount: service, ttlSeconds: 60 }),
      ports: 'auto',
      admin: 'off',
    });
    meshes.push(mesh);
    return mesh;
  }

  /** Bound by the mesh, or by the app. */
  async function serve(version: string, by: 'mesh' | 'app'): Promise<grpc.Server> {
    const mesh = member('greeter', version);
    const server = new grpc.Server();
    server.addService(
      { greet },
      {
        greet: (_call: grpc.ServerUnaryCall<Text, Text>, done: grpc.sendUnaryData<Text>) =>
          done(null, { text: `${version} to ${mesh.grpc.peer()?.uriSans[0] ?? 'plaintext'}` }),
      },
    );
    if (by === 'mesh') await mesh.grpc.listen(server, 50_051);
    else {
      mesh.grpc.protect(server, 50_051);
      await promisify(server.bindAsync.bind(server))('127.0.0.1:0', grpc.ServerCredentials.createInsecure());
    }
    return server;
  }

  function caller(mesh: Mesh): (headers?: Readonly<Record<string, string>>) => Promise<string> {
    const client = new grpc.Client('greeter:50051', mesh.grpc.credentials(), mesh.grpc.options);
    clients.push(client);
    return (headers = {}) =>
      new Promise((resolve) => {
        const metadata = new grpc.Metadata();
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        client.makeUnaryRequest(greet.path, serialize, deserialize, { text: '' }, metadata, {}, (error, answer) =>
          resolve(error === null ? answer!.text : `${grpc.status[error.code]} ${error.details}`),
        );
      });
  }

  async function save(...documents: readonly string[]): Promise<void> {
    writeFileSync(join(dir, 'mesh.tmp'), [SERVICE, ...documents].join(''));
    renameSync(join(dir, 'mesh.tmp'), join(dir, 'mesh.yaml'));
    await vi.waitFor(() => expect(plane.syncState().map(({ synced }) => synced)).toEqual(meshes.map(() => true)), { timeout: 5_000 });
  }

  beforeAll(async () => {
    writeFileSync(join(dir, 'mesh.yaml'), SERVICE);
    plane = createControlPlane({ source: join(dir, 'mesh.yaml'), xds: '', xdsTls: '127.0.0.1:0', http: '' });
    await plane.start();
    [, ownServer] = await Promise.all([serve('v1', 'mesh'), serve('v2', 'app')]);
    web = member('web');
    other = member('other');
    await Promise.all([web.ready(), other.ready()]);
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await Promise.all(meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await plane?.close();
    rmSync(dir, { recursive: true });
  });

  it('are routed by metadata, over mutual TLS, and see who calls', async () => {
    await save(SPLIT);
    const call = caller(web);
    await vi.waitFor(async () => expect(await call()).toBe('v1 to spiffe://cluster.local/ns/default/sa/web'));
    for (let turn = 0; turn < 10; turn++) {
      expect(await call()).toBe('v1 to spiffe://cluster.local/ns/default/sa/web');
      expect(await call({ 'end-user': 'jason' })).toBe('v2 to spiffe://cluster.local/ns/default/sa/web');
    }
  });

  it('answer an injected fault with its gRPC status', async () => {
    await save(FAULT);
    const call = caller(web);
    await vi.waitFor(async () => expect(await call()).toBe('RESOURCE_EXHAUSTED fault filter abort'));
  });

  it('refuse whom the policy does not name, by identity', async () => {
    await save(STRICT, ONLY_WEB);
    const [allowed, denied] = [caller(web), caller(other)];
    await vi.waitFor(async () => expect(await denied()).toBe('PERMISSION_DENIED RBAC: access denied'));
    expect(await allowed()).toMatch(/^v[12] to spiffe:\/\/cluster\.local\/ns\/default\/sa\/web$/);
  });

  it('refuse plaintext where mutual TLS is STRICT', async () => {
    await save(STRICT);
    const { port, address } = meshes[0]!.parts.node.servedPorts[0]!;
    const plain = new grpc.Client(`${address}:${port}`, grpc.credentials.createInsecure());
    clients.push(plain);
    const code = await new Promise<number | undefined>((resolve) =>
      plain.makeUnaryRequest(
        greet.path,
        serialize,
        deserialize,
        { text: '' },
        new grpc.Metadata(),
        { deadline: Date.now() + 3000 },
        (error) => resolve(error?.code),
      ),
    );
    expect(code).toBe(grpc.status.UNAVAILABLE);
  });

  it('are asked no more when the app shuts its server down', async () => {
    await save();
    const mesh = meshes[1]!; // of v2
    expect(mesh.parts.node.servedPorts).toHaveLength(1);
    ownServer.forceShutdown();
    await vi.waitFor(() => expect(mesh.parts.node.servedPorts).toEqual([]));
    const call = caller(web);
    await vi.waitFor(async () => expect([await call(), await call(), await call()].every((text) => text.startsWith('v1 '))).toBe(true));
  });
});
