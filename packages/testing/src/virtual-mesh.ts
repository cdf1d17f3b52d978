import { createCertificateAuthority, createEmbeddedSource, MemorySource } from '@ripstop/control-plane';
import type { Random } from '@ripstop/core';
import { type CreateMeshOptions, createMesh, type Mesh, type MeshApp, type MeshEnvironment } from '@ripstop/node';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualTime } from './virtual-time.ts';

/** OpenSSL looks at the real clock, whatever the virtual one says; half of this time may pass before a rotation. */
const CERTIFICATE_TTL_S = 90 * 24 * 3600;

/** One workload of a virtual mesh. */
export interface VirtualService extends Pick<CreateMeshOptions, 'version' | 'namespace' | 'serviceAccount' | 'labels' | 'filters'> {
  /** Default: the key under which it stands. */
  readonly service?: string;
  /** What it serves; without one it only calls. */
  readonly app?: MeshApp;
  /** Workload port, which the targetPort of Services names. Default 80. */
  readonly port?: number;
}

export interface VirtualMeshOptions {
  /** The documents of the mesh, as they stand in production. Workloads need not be in it: they are `services`. */
  readonly yaml: string;
  readonly services?: Readonly<Record<string, VirtualService>>;
  /** Codes of errors that the YAML is meant to have; default none. */
  readonly findings?: readonly string[];
  /** Of every draw of chance. Default 1: the same run every time. */
  readonly seed?: number;
  /** See VirtualTimeOptions; default 2. */
  readonly patienceMs?: number;
}

/**
 * A whole mesh in one process: the control plane's translation and the SDK with its real drivers, over connections in memory and in
 * virtual time. A retry's back-off, a timeout or an ejection of minutes takes no time at all, and each run is the same.
 */
export class VirtualMesh implements AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: VirtualNetwork = new VirtualNetwork();
  /** What a member needs to stand in this mesh: `createMesh(options, mesh.environment)`. */
  readonly environment: MeshEnvironment;
  private readonly source: MemorySource;
  private readonly time: VirtualTime;
  private readonly members = new Map<string, Mesh>();
  private readonly entries: string;
  private readonly expectedFindings: readonly string[];

  static async start(options: VirtualMeshOptions): Promise<VirtualMesh> {
    const mesh = new VirtualMesh(options);
    try {
      await mesh.begin(options.services ?? {});
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor({ yaml, services = {}, seed = 1, patienceMs = 2, findings = [] }: VirtualMeshOptions) {
    this.entries = Object.entries(services)
      .map(([name, service], at) => workloadEntry(name, service, addressOf(at)))
      .join('');
    this.source = new MemorySource(this.files(yaml));
    this.expectedFindings = findings;
    this.refuseErrors();
    const random: Random = seededRandom(seed);
    const { clock, network } = this;
    const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });
    this.environment = {
      clock,
      random,
      resolveDns: async (hostname) => {
        throw new Error(`no name is known in a virtual network, ${hostname} neither: give addresses`);
      },
      openSocket: network.connect,
      bindServer: (server, address) => network.listen(server, address),
      configSource: (node) => createEmbeddedSource({ dir: this.source, node }),
      signCsr: async (csr, spiffeId) => ca.issue(csr, spiffeId, CERTIFICATE_TTL_S).chain,
    };
    this.time = new VirtualTime({ clock, activity: () => network.activity, patienceMs });
  }

  /** A service's membership: its `fetch` and `dispatcher` call as it would. */
  member(name: string): Mesh {
    const member = this.members.get(name);
    if (member === undefined)
      throw new Error(`no service of this mesh is called ${name}; there are ${[...this.members.keys()].join(', ')}`);
    return member;
  }

  /** What comes of the work, with all the time that it takes passing at once: `await mesh.until(mesh.member('cart').fetch(…))`. */
  until<T>(work: Promise<T>): Promise<T> {
    return this.time.until(work);
  }

  /** Lets time pass, with everything that is due in it. */
  pass(ms: number): Promise<void> {
    return this.time.pass(ms);
  }

  /** Replaces the YAML; resolves when every member has it in force. Throws when it has errors. */
  async apply(yaml: string): Promise<void> {
    this.source.update(this.files(yaml));
    this.refuseErrors();
    await this.pass(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.until(Promise.all([...this.members.values()].map((member) => member.close({ drainMs: 0 }))));
    this.network.close();
  }

  private async begin(services: Readonly<Record<string, VirtualService>>): Promise<void> {
    for (const [at, [name, { app, port = 80, ...options }]] of Object.entries(services).entries()) {
      const member = createMesh({ service: name, ...options, bind: addressOf(at), ports: 'fixed', admin: 'off' }, this.environment);
      this.members.set(name, member);
      await member.ready();
      if (app !== undefined) await member.listen(app, port);
    }
  }

  private refuseErrors(): void {
    const { findings } = this.source.state;
    const errors = findings.filter(({ severity, code }) => severity === 'error' && !this.expectedFindings.includes(code));
    if (errors.length === 0) return;
    const lines = errors.map(({ position, object, path, message }) => `${position.file}:${position.line} ${object} ${path}: ${message}`);
    throw new Error(`the YAML of the mesh has errors:\n${lines.join('\n')}`);
  }

  private files(yaml: string): { name: string; text: string }[] {
    return [
      { name: 'mesh.yaml', text: yaml },
      { name: 'workloads.yaml', text: this.entries },
    ];
  }
}

/** Starts a mesh in memory; dispose it at the end of the test (`await using`). */
export function createVirtualMesh(options: VirtualMeshOptions): Promise<VirtualMesh> {
  return VirtualMesh.start(options);
}

function addressOf(at: number): string {
  return `10.0.${at >> 8}.${(at & 255) + 1}`;
}

function workloadEntry(
  name: string,
  { app, service = name, version, namespace = 'default', serviceAccount = service, labels }: VirtualService,
  address: string,
): string {
  if (app === undefined) return '';
  const document = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name, namespace },
    spec: {
      address,
      serviceAccount,
      labels: { app: service, ...(version === undefined ? {} : { version }), 'security.istio.io/tlsMode': 'istio', ...labels },
    },
  };
  return `${JSON.stringify(document)}\n---\n`;
}
