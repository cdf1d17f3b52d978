import type { Identity } from '@ripstop/identity';
import { createMesh, type Mesh } from '@ripstop/node';
import type { ClientTls } from '../../../packages/server/src/testing/raw-client.ts';
import { TestMesh } from '../../interop/mesh/test-mesh.ts';
import { workloadIdentity } from '../../interop/mesh/workload-identity.ts';
import { documents, service } from '../../interop/mesh/yaml.ts';
import { createApp, type Framework, type Seen } from './apps.ts';

/** The workload port of every app; the sockets are others. */
const PORT = 9080;

/** An app of the corpus behind its mesh. */
export interface Target {
  readonly framework: Framework;
  readonly port: number;
  readonly seen: Seen[];
}

/** A control plane, and one workload per framework under the policies of `yaml`. Callers are service accounts of the mesh. */
export class World implements AsyncDisposable {
  readonly targets: Target[] = [];
  readonly mesh: TestMesh;
  private readonly meshes: Mesh[] = [];
  private readonly identities = new Map<string, Identity>();

  static async start(yaml: string, frameworks: readonly Framework[]): Promise<World> {
    const services = frameworks.map((_framework, index) => service(`app-${index}`, { port: 80, targetPort: PORT }));
    const world = new World(await TestMesh.start(documents(yaml, ...services)));
    for (const [index, framework] of frameworks.entries()) await world.serve(`app-${index}`, framework);
    await world.mesh.synced();
    return world;
  }

  private constructor(mesh: TestMesh) {
    this.mesh = mesh;
  }

  /** A mesh of its own for a workload, joined with a token. */
  join(name: string): Mesh {
    const { controlPlane } = this.mesh;
    const mesh = createMesh({
      service: name,
      xds: `grpcs://${controlPlane.addresses.xdsTls}`,
      token: controlPlane.tokens.issue({ namespace: 'default', serviceAccount: name, ttlSeconds: 3600 }),
      rootCertificatePem: controlPlane.ca.rootCertificatePem,
      admin: 'off',
      ports: 'auto',
    });
    this.meshes.push(mesh);
    return mesh;
  }

  /** The certificate of a caller, with the ALPN of the mesh. */
  async tlsOf(serviceAccount: string): Promise<ClientTls> {
    let identity = this.identities.get(serviceAccount);
    if (identity === undefined) {
      identity = await workloadIdentity(this.mesh, serviceAccount);
      this.identities.set(serviceAccount, identity);
    }
    const { certificateChainPem: cert, privateKeyPem: key } = identity.current()!;
    return { cert, key, ALPNProtocols: ['istio-http/1.1', 'istio'] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const identity of this.identities.values()) identity.close();
    await Promise.all(this.meshes.map((mesh) => mesh.close({ drainMs: 0 })));
    await this.mesh[Symbol.asyncDispose]();
  }

  private async serve(name: string, framework: Framework): Promise<void> {
    const seen: Seen[] = [];
    const app = await createApp(framework, (request) => seen.push(request));
    const { port } = await this.join(name).listen(app, PORT);
    this.targets.push({ framework, port, seen });
  }
}
