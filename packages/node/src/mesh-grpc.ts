import type { ChannelCredentials, Server } from '@grpc/grpc-js';
import type { Peer } from '@ripstop/core';
import {
  bindMeshServer,
  createGrpcChannelOptions,
  type GrpcChannelOptions,
  type MeshServerBinding,
  meshCredentials,
  takeOverBinding,
} from '@ripstop/grpc';
import { MeshError } from './errors.ts';
import type { Runtime } from './runtime.ts';

export interface GrpcListenOptions {
  /** Port name for Services that name their targetPort. Default `grpc`. */
  readonly name?: string;
  /** Port to bind; default: the workload port, or any free one with RIPSTOP_PORTS=auto. */
  readonly bindPort?: number;
}

/** What the mesh keeps of everything that it serves. */
export interface MeshServing {
  /** `Clock.now()` of the last request; undefined where that is not known. */
  readonly lastRequestAt?: number;
  drain(): void;
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** How {@link MeshGrpc} joins the mesh it belongs to. */
export interface GrpcHost {
  readonly runtime: Runtime;
  ready(): Promise<void>;
  /** Registers what is served now, to be drained and closed with the mesh. */
  serve(serving: MeshServing, workloadPort: number, name: string, port: number): void;
  /** Forgets it: the app has closed it by itself. */
  withdraw(workloadPort: number): void;
}

/** grpc-js in the mesh: `new Greeter('greeter:50051', mesh.grpc.credentials(), mesh.grpc.options)`. */
export class MeshGrpc {
  private readonly host: GrpcHost;
  private channelOptions: GrpcChannelOptions | undefined;

  constructor(host: GrpcHost) {
    this.host = host;
  }

  /** Channel options of every client: routing, balancing, retries and mTLS as the mesh configures them. One object for all. */
  get options(): GrpcChannelOptions {
    this.channelOptions ??= createGrpcChannelOptions(this.host.runtime);
    return this.channelOptions;
  }

  /** Credentials of clients: each connection takes the workload's certificate, or none, as the endpoint demands. */
  credentials(): ChannelCredentials {
    return meshCredentials();
  }

  /** Who calls, inside a handler: the SPIFFE id is `uriSans[0]`. Undefined outside of handlers, and without a mesh listener. */
  peer(): Peer | undefined {
    const x = this.host.runtime.telemetry.current();
    return x?.protocol === 'grpc' ? x.peer : undefined;
  }

  /** Serves a grpc-js server as a workload port, in the place of `server.bindAsync`; answers the address of the socket. */
  async listen(
    server: Server,
    workloadPort: number,
    options: GrpcListenOptions = {},
  ): Promise<{ readonly address: string; readonly port: number }> {
    await this.host.ready();
    const { settings } = this.host.runtime;
    const port = options.bindPort ?? (settings.ports === 'auto' ? 0 : workloadPort);
    const binding = await this.bind(server, workloadPort, options.name, settings.bind, port);
    return { address: binding.host, port: binding.port };
  }

  /**
   * Puts the mesh in front of a server that the app, or its framework, binds itself: call it before `server.bindAsync`, which from then
   * on does what `listen` does, at the address that it is given. TLS is the mesh's: credentials that are not insecure are refused.
   */
  protect(server: Server, workloadPort: number, options: Pick<GrpcListenOptions, 'name'> = {}): void {
    takeOverBinding(server, async ({ host, port }) => {
      await this.host.ready();
      const binding = await this.bind(server, workloadPort, options.name, host, port);
      const close: MeshServerBinding['close'] = (closing) => {
        this.host.withdraw(workloadPort);
        return binding.close(closing);
      };
      return { ...binding, close };
    });
  }

  private async bind(
    server: Server,
    workloadPort: number,
    name: string | undefined,
    host: string,
    port: number,
  ): Promise<MeshServerBinding> {
    const binding = await bindMeshServer(server, this.host.runtime, { workloadPort, host, port }).catch((cause: Error) => {
      throw new MeshError('RIPSTOP_CANNOT_LISTEN', `cannot listen on ${host}:${port}: ${cause.message}`, { cause });
    });
    // GOAWAY is sent by close(): grpc-js has no separate draining.
    this.host.serve({ drain: () => {}, close: (close) => binding.close(close) }, workloadPort, name ?? 'grpc', binding.port);
    return binding;
  }
}
