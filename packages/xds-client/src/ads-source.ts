import grpc from '@grpc/grpc-js';
import type { Clock, ConfigSource, ConfigSubscription, ConfigUpdate, Random, Rejection, Timer } from '@ripstop/core';
import { DeltaDiscoveryRequest, DeltaDiscoveryResponse, HEALTH_TYPE_URL, Node } from '@ripstop/xds-api';
import { Backoff } from './backoff.ts';
import { DeltaSubscriptions } from './delta-subscriptions.ts';
import { ResourceLifetimes } from './resource-lifetimes.ts';

/** How the client presents itself. */
export interface NodeDescription {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface AdsSourceOptions {
  /** `host:port`. */
  readonly address: string;
  /** Undefined = plaintext. */
  readonly tls?: {
    /** Roots of the server's certificate; asked at each connection. */
    readonly rootCertificatePem: () => string;
    /** Proves who connects, beside a token or in its place; asked at each connection. */
    readonly certificate?: () => ClientCertificate | undefined;
  };
  /** '' = none. */
  readonly token?: () => string | Promise<string>;
  /** Asked whenever a node is sent, so that it may change. */
  readonly node: () => NodeDescription;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: (line: string) => void;
}

/** PEM. */
export interface ClientCertificate {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

/** Whether this workload serves its ports (Istio's HealthInformation). */
export type WorkloadHealth = { readonly serving: true } | { readonly serving: false; readonly reason: string };

export interface AdsState {
  readonly connected: boolean;
  readonly lastError: string;
  /** `Clock.wallTime()` of the last response; 0 before the first. */
  readonly lastResponseMs: number;
}

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
/** What the server may count on beside the protocol's core. */
const CLIENT_FEATURES = ['xds.config.supports-resource-ttl'];
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

type Stream = grpc.ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/**
 * One ADS stream (delta), reconnecting for ever. What was received stays in force while the server is away, but for resources that it
 * gave a time to live: those are gone when it runs out. Responses are answered with an ACK, or with a NACK that carries every rejection.
 */
export class AdsSource implements ConfigSource {
  private readonly options: AdsSourceOptions;
  private readonly backoff: Backoff;
  private readonly lifetimes: ResourceLifetimes;
  private readonly subscriptions: DeltaSubscriptions;
  private client: grpc.Client | undefined;
  /** What `client` shows. */
  private certificate: ClientCertificate | undefined;
  private stream: Stream | undefined;
  private apply: ((update: ConfigUpdate) => readonly Rejection[]) | undefined;
  private health: WorkloadHealth | undefined;
  private timer: Timer | undefined;
  private closed = false;
  /** The first request of a stream names the node, whoever sends it. */
  private introduced = false;
  private responses = 0;
  private lastError = '';
  private lastResponseMs = 0;

  constructor(options: AdsSourceOptions) {
    this.options = options;
    this.backoff = new Backoff(options.random);
    this.lifetimes = new ResourceLifetimes(options.clock, (typeUrl, names) => this.expire(typeUrl, names));
    this.subscriptions = new DeltaSubscriptions(this.lifetimes);
  }

  subscribe(apply: (update: ConfigUpdate) => readonly Rejection[]): ConfigSubscription {
    if (this.apply !== undefined) throw new Error('an ADS source has one subscriber');
    this.apply = apply;
    void this.connect();
    return {
      want: (typeUrl, names) => {
        const request = this.subscriptions.want(typeUrl, names);
        if (request !== undefined) this.send(request);
      },
      close: () => this.close(),
    };
  }

  /** Tells the server whether this workload serves, with the node as it is now; told again after each reconnect. */
  register(health: WorkloadHealth): void {
    this.health = health;
    this.sendHealth();
  }

  state(): AdsState {
    return { connected: this.stream !== undefined && this.responses > 0, lastError: this.lastError, lastResponseMs: this.lastResponseMs };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.timer?.cancel();
    this.lifetimes.close();
    // A clean end tells the server at once; a torn one leaves it waiting.
    this.stream?.end();
    const { client } = this;
    const timer = setTimeout(() => client?.close(), 200);
    timer.unref();
  }

  private async connect(): Promise<void> {
    if (this.closed) return;
    try {
      const metadata = new grpc.Metadata();
      const { token } = this.options;
      const bearer = token === undefined ? '' : await token();
      if (bearer !== '') metadata.set('authorization', `Bearer ${bearer}`);
      if (this.closed) return;
      this.open(metadata);
    } catch (error) {
      this.lost(error instanceof Error ? error.message : String(error));
    }
  }

  private open(metadata: grpc.Metadata): void {
    const client = this.currentClient();
    const stream: Stream = client.makeBidiStreamRequest(
      METHOD,
      (message: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(message).finish()),
      (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes),
      metadata,
    );
    this.stream = stream;
    this.introduced = false;
    this.responses = 0;
    let ended = false;
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      if (this.stream === stream) this.lost(reason);
    };
    stream.on('data', (response: DeltaDiscoveryResponse) => this.receive(stream, response));
    stream.on('error', (error: grpc.ServiceError) => end(`${grpc.status[error.code] ?? error.code}: ${error.details}`));
    stream.on('end', () => end('the server ended the stream'));
    for (const request of this.subscriptions.resume()) this.send(request);
    this.sendHealth();
  }

  /** A channel shows one certificate for its life: after a rotation the next stream has a channel of its own. */
  private currentClient(): grpc.Client {
    const certificate = this.options.tls?.certificate?.();
    if (this.client !== undefined && certificate === this.certificate) return this.client;
    this.client?.close();
    this.certificate = certificate;
    this.client = this.createClient();
    return this.client;
  }

  private createClient(): grpc.Client {
    const { address, tls } = this.options;
    const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    return new grpc.Client(
      address,
      tls === undefined ? grpc.credentials.createInsecure() : sslOf(tls.rootCertificatePem(), this.certificate),
      {
        'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
        'grpc.keepalive_time_ms': 30_000,
        'grpc.keepalive_timeout_ms': 10_000,
        // The channel's own back-off would stand behind ours; it is kept short.
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        // An IP address is no legal SNI; the control plane's certificate also speaks for localhost.
        ...(tls !== undefined && (/^[\d.]+$/.test(host) || host.includes(':')) ? { 'grpc.ssl_target_name_override': 'localhost' } : {}),
      },
    );
  }

  private receive(stream: Stream, response: DeltaDiscoveryResponse): void {
    if (this.closed || this.stream !== stream) return;
    if (this.responses++ === 0) {
      this.backoff.reset();
      if (this.lastError !== '') this.options.log?.(`connected to ${this.options.address} again`);
      this.lastError = '';
    }
    this.lastResponseMs = this.options.clock.wallTime();
    const rejections = this.apply?.(this.subscriptions.read(response)) ?? [];
    this.send(this.subscriptions.answer(response, rejections));
  }

  private expire(typeUrl: string, names: readonly string[]): void {
    const some = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
    this.options.log?.(`${this.options.address} did not confirm ${some} within the time to live that it gave them: they are gone`);
    this.subscriptions.expire(typeUrl, names);
    this.apply?.({ typeUrl, version: '', resources: [], removed: names, full: false });
  }

  private send(request: Partial<DeltaDiscoveryRequest>, withNode = false): void {
    const { stream } = this;
    if (stream === undefined || this.closed) return;
    const node = withNode || !this.introduced ? { node: this.encodeNode() } : {};
    this.introduced = true;
    stream.write(DeltaDiscoveryRequest.fromPartial({ ...request, ...node }));
  }

  private sendHealth(): void {
    if (this.health === undefined) return;
    const errorDetail = this.health.serving ? undefined : { code: grpc.status.UNAVAILABLE, message: this.health.reason, details: [] };
    this.send({ typeUrl: HEALTH_TYPE_URL, errorDetail }, true);
  }

  private encodeNode(): Node {
    const { id, cluster, metadata } = this.options.node();
    return Node.fromPartial({ id, cluster, metadata: { ...metadata }, userAgentName: 'ripstop', clientFeatures: CLIENT_FEATURES });
  }

  private lost(text: string): void {
    this.stream = undefined;
    if (this.closed) return;
    const reason = text.replace(/\.? Resolution note:\s*$/, ''); // grpc-js appends it also when there is none.
    if (reason !== this.lastError)
      this.options.log?.(`no contact with ${this.options.address} (${reason}); the last configuration stays in force`);
    this.lastError = reason;
    // A stream that gave something and ended is no failure: the server may be restarting or rebalancing.
    const delayMs = this.responses > 0 ? this.options.random() * 100 : this.backoff.nextMs();
    this.responses = 0;
    this.timer = this.options.clock.setTimer(() => void this.connect(), delayMs);
  }
}

function sslOf(rootCertificatePem: string, certificate: ClientCertificate | undefined): grpc.ChannelCredentials {
  const own = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  return grpc.credentials.createSsl(
    Buffer.from(rootCertificatePem),
    own(certificate?.privateKeyPem),
    own(certificate?.certificateChainPem),
  );
}

export function createAdsSource(options: AdsSourceOptions): AdsSource {
  return new AdsSource(options);
}
