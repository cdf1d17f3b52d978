import grpc from '@grpc/grpc-js';
import { DeltaDiscoveryRequest, DiscoveryRequest } from '@ripstop/xds-api';
import { rewriteListeners } from './listener-capture.ts';

/** A response that the client refused. */
export interface Refusal {
  readonly typeUrl: string;
  readonly reason: string;
}

/** How a client proves who it is. */
export interface Join {
  readonly rootCertificatePem: string;
  readonly token: string;
}

const AWAY = { code: grpc.status.UNAVAILABLE, details: 'out of reach' };
const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';
const raw = (bytes: Buffer): Buffer => bytes;

function method(name: string): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: SERVICE + name,
    requestStream: true,
    responseStream: true,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
}

const DELTA = method('DeltaAggregatedResources');
const SOTW = method('StreamAggregatedResources');

/**
 * Stands between an Envoy and the control plane, on a port of its own. Requests and answers pass as they are, except for the two
 * details of listeners that captureByProxyProtocol names. Keeps what the Envoy refused.
 */
export class AdsRelay implements AsyncDisposable {
  readonly refusals: Refusal[] = [];
  readonly port: number;
  private readonly server: grpc.Server;
  private readonly upstream: grpc.Client;
  private readonly token: string | undefined;
  private readonly open = new Set<grpc.ServerDuplexStream<Buffer, Buffer>>();
  private cut = false;

  /** With `join` over TLS, as the workload that the token names: only so does a client get certificates. */
  static async start(controlPlane: string, join?: Join): Promise<AdsRelay> {
    const server = new grpc.Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return new AdsRelay(server, port, controlPlane, join);
  }

  private constructor(server: grpc.Server, port: number, controlPlane: string, join: Join | undefined) {
    this.server = server;
    this.port = port;
    this.token = join?.token;
    this.upstream =
      join === undefined
        ? new grpc.Client(controlPlane, grpc.credentials.createInsecure())
        : new grpc.Client(controlPlane, grpc.credentials.createSsl(Buffer.from(join.rootCertificatePem)), {
            'grpc.ssl_target_name_override': 'localhost',
          });
    server.addService(
      { DeltaAggregatedResources: DELTA, StreamAggregatedResources: SOTW },
      {
        DeltaAggregatedResources: (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
          this.relay(call, DELTA, (bytes) => DeltaDiscoveryRequest.decode(bytes), rewriteListeners.delta),
        StreamAggregatedResources: (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
          this.relay(call, SOTW, (bytes) => DiscoveryRequest.decode(bytes), rewriteListeners.sotw),
      },
    );
  }

  /** The control plane is out of reach, until {@link restore}. */
  lose(): void {
    this.cut = true;
    for (const down of this.open) down.emit('error', AWAY);
  }

  restore(): void {
    this.cut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
    this.upstream.close();
  }

  private relay(
    down: grpc.ServerDuplexStream<Buffer, Buffer>,
    { path }: grpc.MethodDefinition<Buffer, Buffer>,
    decode: (bytes: Buffer) => Pick<DiscoveryRequest, 'typeUrl' | 'errorDetail'>,
    rewrite: (bytes: Buffer) => Buffer,
  ): void {
    if (this.cut) {
      down.emit('error', AWAY);
      return;
    }
    this.open.add(down);
    const metadata = new grpc.Metadata();
    if (this.token !== undefined) metadata.set('authorization', `Bearer ${this.token}`);
    const up = this.upstream.makeBidiStreamRequest(path, raw, raw, metadata);
    down.on('data', (bytes: Buffer) => {
      const { typeUrl, errorDetail } = decode(bytes);
      if (errorDetail !== undefined) this.refusals.push({ typeUrl, reason: errorDetail.message });
      up.write(bytes);
    });
    down.on('error', () => up.cancel());
    down.on('close', () => this.open.delete(down));
    down.on('end', () => up.end());
    down.on('cancelled', () => up.cancel());
    up.on('data', (bytes: Buffer) => down.write(rewrite(bytes)));
    up.on('error', (error: grpc.ServiceError) => down.emit('error', { code: error.code, details: error.details }));
    up.on('end', () => down.end());
  }
}
