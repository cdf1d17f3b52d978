import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestMesh } from '../mesh/test-mesh.ts';
import { workloadIdentity } from '../mesh/workload-identity.ts';
import { runTool } from '../peers/run-tool.ts';

/** A stock gRPC library as a program: `../grpc-go/main.go` and `../grpc-js/peer.ts` take the same options. */
export interface GrpcProgram {
  readonly command: string;
  /** Stand before the options. */
  readonly args: readonly string[];
}

export const GRPC_JS: GrpcProgram = { command: process.execPath, args: [join(import.meta.dirname, '../grpc-js/peer.ts')] };

/** What a program prints for one call. */
export interface Outcome {
  readonly code: number;
  readonly message?: string;
  readonly reply?: string;
}

export const METHOD = '/ripstop.test.Greeter/Say';

export interface MemberOptions {
  readonly app: string;
  readonly serviceAccount?: string;
}

/** A proxyless member of a mesh: its bootstrap, and with a service account its certificate in files. */
export class ProxylessMember {
  private readonly program: GrpcProgram;
  private readonly env: Readonly<Record<string, string>>;

  static async of(mesh: TestMesh, program: GrpcProgram, { app, serviceAccount }: MemberOptions): Promise<ProxylessMember> {
    const folder = mesh.clientFolder(app);
    const node = {
      id: `sidecar~127.0.0.1~${app}-1.default~default.svc.cluster.local`,
      metadata: { GENERATOR: 'grpc', NAMESPACE: 'default', LABELS: { app, 'security.istio.io/tlsMode': 'istio' } },
      locality: {}, // grpc-js-xds asks for it.
    };
    const server = { server_uri: mesh.controlPlane.addresses.xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] };
    const bootstrap = {
      xds_servers: [server],
      node,
      server_listener_resource_name_template: 'xds.istio.io/grpc/lds/inbound/%s',
      ...(serviceAccount === undefined ? {} : { certificate_providers: { default: await certificateFiles(mesh, folder, serviceAccount) } }),
    };
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap));
    return new ProxylessMember(program, file);
  }

  private constructor(program: GrpcProgram, bootstrap: string) {
    this.program = program;
    this.env = { GRPC_XDS_BOOTSTRAP: bootstrap, GRPC_XDS_EXPERIMENTAL_RBAC: 'true' };
  }

  async call(target: string, args: readonly string[] = []): Promise<Outcome[]> {
    const { command, args: own } = this.program;
    const output = await runTool(command, [...own, '--target', target, '--method', METHOD, ...args], { env: this.env, timeoutMs: 40_000 });
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome);
  }

  /** Resolves when xDS lets the server serve; rejects with its last words when it ends before. */
  async serve(address: string, reply: string): Promise<AsyncDisposable> {
    const { command, args } = this.program;
    const options = ['--serve', address, '--method', METHOD, '--reply', reply];
    const child = spawn(command, [...args, ...options], { env: { ...process.env, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    let said = '';
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-2000);
    });
    await Promise.race([
      new Promise<void>((resolve) => {
        child.stdout.on('data', (text) => {
          if (String(text).includes('serving')) resolve();
        });
      }),
      ended.then(() => Promise.reject(new Error(`the server ended: ${said}`))),
    ]);
    return {
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }
}

async function certificateFiles(mesh: TestMesh, folder: string, serviceAccount: string): Promise<object> {
  const identity = await workloadIdentity(mesh, serviceAccount);
  const { certificateChainPem, privateKeyPem, trustBundlePem } = await identity.ready();
  identity.close();
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    plugin_name: 'file_watcher',
    config: {
      certificate_file: file('cert-chain.pem', certificateChainPem),
      private_key_file: file('key.pem', privateKeyPem),
      ca_certificate_file: file('root-cert.pem', trustBundlePem),
      refresh_interval: '900s',
    },
  };
}
