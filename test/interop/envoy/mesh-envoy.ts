import { connect, type NetConnectOpts } from 'node:net';
import type { Identity } from '@ripstop/identity';
import { type buildConnector, Client } from 'undici';
import type { TestMesh } from '../mesh/test-mesh.ts';
import { workloadIdentity } from '../mesh/workload-identity.ts';
import { until } from '../until.ts';
import { AdsRelay } from './ads-relay.ts';
import { type BootstrapInput, bootstrap } from './bootstrap.ts';
import { capturedSocket, type Destination } from './captured-socket.ts';
import { EnvoyProcess } from './envoy-process.ts';
import { SecretAgent } from './secret-agent.ts';

export interface MeshEnvoyOptions extends Pick<BootstrapInput, 'role' | 'variant' | 'labels'> {
  /** What it is sent first it refuses, as the test wants. */
  readonly refuses?: boolean;
  readonly name: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  /** Configuration over TLS, with a join token. Default: plaintext. */
  readonly joins?: boolean;
  /** Its certificate, when another CA than the mesh's issues it; closed with the Envoy. */
  readonly identity?: Identity;
  /** More arguments of the command line. */
  readonly flags?: readonly string[];
}

/** A service's virtual IP where the YAML names none: iptables catches every address, so any that is nobody's will do. */
const ANY_ADDRESS = '240.240.0.1';

/** An Envoy that is a member of a TestMesh: as a sidecar or as a gateway. */
export class MeshEnvoy implements AsyncDisposable {
  readonly relay: AdsRelay;
  readonly process: EnvoyProcess;
  /** Its certificate, as its agent holds it. */
  readonly identity: Identity;
  private readonly parts: AsyncDisposableStack;
  private readonly open = new Set<number>();

  static async start(binary: string, mesh: TestMesh, options: MeshEnvoyOptions): Promise<MeshEnvoy> {
    await using parts = new AsyncDisposableStack();
    const { namespace = 'default', serviceAccount = 'default' } = options;
    const folder = mesh.clientFolder(options.name);
    const identity = parts.adopt(options.identity ?? (await workloadIdentity(mesh, serviceAccount, namespace)), async (each: Identity) =>
      each.close(),
    );
    const agent = parts.use(await SecretAgent.start(folder, identity));
    const { addresses, tokens, ca } = mesh.controlPlane;
    const relay = parts.use(
      await (options.joins === true
        ? AdsRelay.start(addresses.xdsTls, {
            rootCertificatePem: ca.rootCertificatePem,
            token: tokens.issue({ namespace, serviceAccount, ttlSeconds: 3_600 }),
          })
        : AdsRelay.start(addresses.xds)),
    );
    const config = bootstrap({ ...options, namespace, serviceAccount, xdsPort: relay.port, sdsPath: agent.path });
    const envoy = parts.use(await EnvoyProcess.start(binary, folder, config, options.flags));
    await until(`${options.name} is connected`, () => mesh.controlPlane.syncState().some(({ name }) => name === options.name));
    if (options.refuses !== true) await mesh.synced();
    return new MeshEnvoy(relay, envoy, identity, parts.move());
  }

  private constructor(relay: AdsRelay, process: EnvoyProcess, identity: Identity, parts: AsyncDisposableStack) {
    this.relay = relay;
    this.process = process;
    this.identity = identity;
    this.parts = parts;
  }

  /** An undici client whose one connection is captured by this sidecar, for `destination` or for any service's address. */
  async outboundClient(port: number, address: string = ANY_ADDRESS): Promise<Client> {
    const captured = await this.openPort('virtualOutbound');
    return clientOver(captured, { address, port });
  }

  async inboundPort(): Promise<number> {
    return this.openPort('virtualInbound');
  }

  /**
   * An Envoy names the port of a listener when it has bound it, and takes connections when its workers have the listener. The connection
   * that asks says nothing, so no filter sees it.
   */
  private async openPort(name: string): Promise<number> {
    const port = await this.process.listenerPort(name);
    if (!this.open.has(port)) await until(`${name} takes connections`, () => takesConnections({ port, host: '127.0.0.1' }));
    this.open.add(port);
    return port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }
}

/** Whether somebody accepts there. */
export function takesConnections(at: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function clientOver(listenerPort: number, destination: Destination): Client {
  return new Client(`http://${destination.address}:${destination.port}`, {
    connect: (_options: buildConnector.Options, done: buildConnector.Callback) => {
      const socket = capturedSocket(listenerPort, destination);
      socket.once('connect', () => done(null, socket));
      socket.once('error', (error) => done(error, null));
    },
  });
}
