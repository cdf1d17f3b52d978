import grpc from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  HEALTH_TYPE_URL,
  type Node,
  type Status,
} from '@ripstop/xds-api';
import { authenticate } from '../ca/ca-service.ts';
import type { TokenIssuer, WorkloadAccount } from '../ca/token-issuer.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import type { PushContext } from '../push/push-context.ts';
import type { Scheduler, WorkloadRegistry } from '../registry/workload-registry.ts';
import { NAMED_TYPES } from '../translate/translate.ts';
import { type SessionRequest, type SessionResponse, XdsSession } from './xds-session.ts';

export interface AdsServiceOptions {
  readonly registry: WorkloadRegistry;
  readonly scheduler: Scheduler;
  /** The push that a new stream starts with. */
  readonly current: () => PushContext;
  readonly onConnected: (node: ProxyNode) => void;
  readonly onDisconnected: (node: ProxyNode, reason: string) => void;
  readonly onRefused: (node: ProxyNode, typeUrl: string, reason: string) => void;
}

/** What both variants of the protocol have in common on the wire. */
interface WireRequest {
  readonly typeUrl: string;
  readonly node: Node | undefined;
  readonly errorDetail: Status | undefined;
  readonly responseNonce: string;
}

const PREFIX = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';

function method<Request, Response>(
  name: string,
  request: { decode(bytes: Uint8Array): Request; encode(message: Request): { finish(): Uint8Array } },
  response: { decode(bytes: Uint8Array): Response; encode(message: Response): { finish(): Uint8Array } },
): grpc.MethodDefinition<Request, Response> {
  return {
    path: PREFIX + name,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => Buffer.from(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

const METHODS = {
  StreamAggregatedResources: method('StreamAggregatedResources', DiscoveryRequest, DiscoveryResponse),
  DeltaAggregatedResources: method('DeltaAggregatedResources', DeltaDiscoveryRequest, DeltaDiscoveryResponse),
};

/** ADS on gRPC, delta and state of the world, for any number of servers (plaintext and TLS). */
export class AdsService {
  private readonly options: AdsServiceOptions;
  private readonly streams = new Set<AdsStream>();

  constructor(options: AdsServiceOptions) {
    this.options = options;
  }

  get sessions(): XdsSession[] {
    return [...this.streams].flatMap(({ session }) => session ?? []);
  }

  /** With `tokens` only callers with a join token are served, and only as what the token says. */
  addTo(server: grpc.Server, tokens: TokenIssuer | undefined): void {
    server.addService(METHODS, {
      StreamAggregatedResources: (call: grpc.ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) => {
        this.open(call, tokens, new SotwCodec((message) => call.write(message)));
      },
      DeltaAggregatedResources: (call: grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) => {
        this.open(call, tokens, new DeltaCodec((message) => call.write(message)));
      },
    });
  }

  update(push: PushContext): void {
    for (const { session } of this.streams) session?.update(push);
  }

  private open<Request extends WireRequest>(
    call:
      | grpc.ServerDuplexStream<Request, never>
      | grpc.ServerDuplexStream<Request, DiscoveryResponse>
      | grpc.ServerDuplexStream<Request, DeltaDiscoveryResponse>,
    tokens: TokenIssuer | undefined,
    codec: Codec<Request>,
  ): void {
    const fail = (code: grpc.status, details: string): void => {
      call.emit('error', { code, details });
    };
    let account: WorkloadAccount | undefined;
    try {
      account = tokens === undefined ? undefined : authenticate(call.metadata, tokens);
    } catch (error) {
      fail(grpc.status.UNAUTHENTICATED, error instanceof Error ? error.message : String(error));
      return;
    }
    const stream = new AdsStream(this.options, account, (response) => codec.respond(response), fail);
    this.streams.add(stream);
    const end = (clean: boolean, reason: string): void => {
      if (this.streams.delete(stream)) stream.end(clean, reason);
    };
    call.on('data', (request: Request) => stream.receive(request, codec));
    call.on('end', () => {
      end(true, 'closed');
      call.end();
    });
    call.on('cancelled', () => end(false, 'connection lost'));
    call.on('error', (error: Error) => end(false, error.message));
  }
}

/** How one protocol variant is read and written. */
interface Codec<Request> {
  read(request: Request): SessionRequest;
  respond(response: SessionResponse): void;
}

class DeltaCodec implements Codec<DeltaDiscoveryRequest> {
  private readonly write: (message: DeltaDiscoveryResponse) => void;

  constructor(write: (message: DeltaDiscoveryResponse) => void) {
    this.write = write;
  }

  read(request: DeltaDiscoveryRequest): SessionRequest {
    return {
      typeUrl: request.typeUrl,
      subscribe: request.resourceNamesSubscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: request.initialResourceVersions,
      nonce: request.responseNonce,
      error: errorOf(request.errorDetail),
    };
  }

  respond({ typeUrl, nonce, changed, removed }: SessionResponse): void {
    this.write(
      DeltaDiscoveryResponse.fromPartial({
        typeUrl,
        nonce,
        systemVersionInfo: nonce,
        resources: changed.map(({ name, version, any }) => ({ name, version, resource: any })),
        removedResources: [...removed],
      }),
    );
  }
}

/** State of the world: requests carry all names each time; CDS and LDS answers carry everything, EDS and RDS what changed. */
class SotwCodec implements Codec<DiscoveryRequest> {
  private readonly write: (message: DiscoveryResponse) => void;
  private readonly names = new Map<string, ReadonlySet<string>>();

  constructor(write: (message: DiscoveryResponse) => void) {
    this.write = write;
  }

  read(request: DiscoveryRequest): SessionRequest {
    const before = this.names.get(request.typeUrl) ?? new Set<string>();
    const now = new Set(request.resourceNames);
    this.names.set(request.typeUrl, now);
    return {
      typeUrl: request.typeUrl,
      subscribe: [...now].filter((name) => !before.has(name)),
      unsubscribe: [...before].filter((name) => !now.has(name)),
      initialVersions: {},
      nonce: request.responseNonce,
      error: errorOf(request.errorDetail),
    };
  }

  respond({ typeUrl, nonce, changed, all }: SessionResponse): void {
    const resources = NAMED_TYPES.has(typeUrl) ? changed : all;
    this.write(DiscoveryResponse.fromPartial({ typeUrl, nonce, versionInfo: nonce, resources: resources.map(({ any }) => any) }));
  }
}

function errorOf(detail: Status | undefined): string | undefined {
  return detail === undefined ? undefined : detail.message === '' ? `code ${detail.code}` : detail.message;
}

/** One connected client. */
class AdsStream {
  session: XdsSession | undefined;
  private readonly options: AdsServiceOptions;
  private readonly account: WorkloadAccount | undefined;
  private readonly send: (response: SessionResponse) => void;
  private readonly fail: (code: grpc.status, details: string) => void;

  constructor(
    options: AdsServiceOptions,
    account: WorkloadAccount | undefined,
    send: (response: SessionResponse) => void,
    fail: (code: grpc.status, details: string) => void,
  ) {
    this.options = options;
    this.account = account;
    this.send = send;
    this.fail = fail;
  }

  receive<Request extends WireRequest>(request: Request, codec: Codec<Request>): void {
    const node = request.node === undefined ? undefined : this.nodeOf(request.node);
    if (request.node !== undefined && node === undefined) return;
    if (this.session === undefined) {
      if (node === undefined) {
        this.fail(grpc.status.INVALID_ARGUMENT, 'the first request of a stream must carry the node');
        return;
      }
      this.session = new XdsSession(node, this.options.current(), this.options.scheduler, this.send);
      this.options.onConnected(node);
    }
    if (request.typeUrl === HEALTH_TYPE_URL) {
      this.options.registry.health(this, node ?? this.session.node, errorOf(request.errorDetail));
      return;
    }
    const read = codec.read(request);
    if (read.error !== undefined) this.options.onRefused(this.session.node, read.typeUrl, read.error);
    this.session.request(read);
  }

  end(clean: boolean, reason: string): void {
    this.options.registry.ended(this, clean);
    if (this.session === undefined) return;
    this.session.close();
    this.options.onDisconnected(this.session.node, reason);
  }

  /** The node as it introduces itself, if its token lets it. */
  private nodeOf(message: Node): ProxyNode | undefined {
    try {
      const node = proxyNodeOf({ id: message.id, metadata: message.metadata ?? {}, locality: message.locality });
      const { account } = this;
      if (account !== undefined && (account.namespace !== node.namespace || !sameAccount(account, node))) {
        this.fail(
          grpc.status.PERMISSION_DENIED,
          `the token is for ${account.namespace}/${account.serviceAccount}, the node says ${node.namespace}/${node.serviceAccount}`,
        );
        return undefined;
      }
      return node;
    } catch (error) {
      this.fail(grpc.status.INVALID_ARGUMENT, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}

/** A node that names no account is taken for its token's. */
function sameAccount({ serviceAccount }: WorkloadAccount, node: ProxyNode): boolean {
  return node.serviceAccount === '' || node.serviceAccount === serviceAccount;
}
