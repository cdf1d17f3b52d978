import grpc from '@grpc/grpc-js';
import { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Node } from '@ripstop/xds-api';

interface WireCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  fromPartial(fields: never): T;
}

export interface ClientOptions {
  readonly address: string;
  readonly rootCertificatePem?: string;
  readonly token?: string;
}

/** A node of the sidecar dialect as it goes over the wire. */
export function wireNode(
  name: string,
  namespace = 'default',
  metadata: Readonly<Record<string, unknown>> = {},
  clientFeatures: readonly string[] = [],
): Node {
  return Node.fromPartial({
    id: `sidecar~127.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, ...metadata },
    clientFeatures: [...clientFeatures],
  });
}

/** One ADS stream on a connection of its own: what is sent is what the test says, what comes back waits until it is asked for. */
export class AdsClient<Request, Response> {
  /** How the stream ended. */
  readonly status: Promise<{ readonly code: grpc.status; readonly details: string }>;
  private readonly client: grpc.Client;
  private readonly stream: grpc.ClientDuplexStream<Request, Response>;
  private readonly request: WireCodec<Request>;
  private readonly received: Response[] = [];
  private readonly waiting: ((response: Response) => void)[] = [];

  constructor(method: string, request: WireCodec<Request>, response: WireCodec<Response>, options: ClientOptions) {
    const { address, rootCertificatePem, token } = options;
    const secure = rootCertificatePem !== undefined;
    this.request = request;
    this.client = new grpc.Client(
      address,
      secure ? grpc.credentials.createSsl(Buffer.from(rootCertificatePem)) : grpc.credentials.createInsecure(),
      // Connections of the same address are shared otherwise.
      { 'grpc.use_local_subchannel_pool': 1, ...(secure ? { 'grpc.ssl_target_name_override': 'localhost' } : {}) },
    );
    const metadata = new grpc.Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    this.stream = this.client.makeBidiStreamRequest(
      `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`,
      (message: Request) => Buffer.from(request.encode(message).finish()),
      (bytes: Buffer) => response.decode(bytes),
      metadata,
    );
    this.stream.on('data', (message: Response) => {
      const waiter = this.waiting.shift();
      if (waiter === undefined) this.received.push(message);
      else waiter(message);
    });
    this.stream.on('error', () => {}); // `status` tells.
    this.status = new Promise((resolve) => this.stream.on('status', ({ code, details }) => resolve({ code, details })));
  }

  send(fields: Parameters<WireCodec<Request>['fromPartial']>[0] | object): void {
    this.stream.write(this.request.fromPartial(fields as never));
  }

  /** The next response, when it is there. */
  next(): Promise<Response> {
    const message = this.received.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Responses that nobody has asked for. */
  get unread(): number {
    return this.received.length;
  }

  /** Says goodbye: the server sees the end of the stream. */
  end(): void {
    this.stream.end();
  }

  /** Breaks the stream, as a killed process does. */
  break(): void {
    this.stream.cancel();
  }

  close(): void {
    this.stream.cancel();
    this.client.close();
  }
}

export type DeltaClient = AdsClient<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
export type SotwClient = AdsClient<DiscoveryRequest, DiscoveryResponse>;

export function deltaClient(options: ClientOptions): DeltaClient {
  return new AdsClient('DeltaAggregatedResources', DeltaDiscoveryRequest, DeltaDiscoveryResponse, options);
}

export function sotwClient(options: ClientOptions): SotwClient {
  return new AdsClient('StreamAggregatedResources', DiscoveryRequest, DiscoveryResponse, options);
}
