import grpc from '@grpc/grpc-js';
import { type Any, DeltaDiscoveryRequest, DeltaDiscoveryResponse, type Resource, VIRTUAL_HOST_TYPE_URL } from '@ripstop/xds-api';

type Stream = grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
type Request = Pick<DeltaDiscoveryRequest, 'typeUrl' | 'resourceNamesSubscribe' | 'resourceNamesUnsubscribe' | 'responseNonce'>;

/** How a server says that there is no such thing: an empty resource, a removed one, or not at all. */
export type Absence = 'empty' | 'removed' | 'silent';

/** What one client wants of one type. */
interface Wish {
  readonly names: Set<string>;
  all: boolean;
}

interface Held {
  readonly version: string;
  readonly resource: Any;
}

/**
 * An ADS server (delta) of a test, which gives what the test puts in: of virtual hosts (VHDS) and of everything else. Keeps what was
 * asked for and refused. For what neither istiod nor our control plane would send.
 */
export class DeltaServer implements AsyncDisposable {
  /** Names of virtual hosts that were asked for and given back, in order, as `+name` and `-name`; each stream begins with `stream`. */
  readonly asked: string[] = [];
  /** Reasons of refusals. */
  readonly refused: string[] = [];
  readonly port: number;
  absence: Absence = 'removed';
  private readonly server: grpc.Server;
  private readonly held = new Map<string, Map<string, Held>>();
  private readonly streams = new Map<Stream, Map<string, Wish>>();
  private versions = 0;
  private nonces = 0;
  private away = false;

  /** `resources` by type URL and name. */
  static async start(resources: ReadonlyMap<string, ReadonlyMap<string, Any>> = new Map()): Promise<DeltaServer> {
    const server = new grpc.Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return new DeltaServer(server, port, resources);
  }

  private constructor(server: grpc.Server, port: number, resources: ReadonlyMap<string, ReadonlyMap<string, Any>>) {
    this.server = server;
    this.port = port;
    for (const [typeUrl, named] of resources) for (const [name, resource] of named) this.set(typeUrl, name, resource);
    server.addService(
      {
        delta: {
          path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
          requestStream: true,
          responseStream: true,
          requestSerialize: (message: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(message).finish()),
          requestDeserialize: (bytes: Buffer) => DeltaDiscoveryRequest.decode(bytes),
          responseSerialize: (message: DeltaDiscoveryResponse) => Buffer.from(DeltaDiscoveryResponse.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes),
        },
      },
      { delta: (stream: Stream) => this.accept(stream) },
    );
  }

  /** Puts a resource in; who wants it is told at once. */
  set(typeUrl: string, name: string, resource: Any): void {
    const named = this.held.get(typeUrl) ?? new Map<string, Held>();
    this.held.set(typeUrl, named.set(name, { version: String(++this.versions), resource }));
    for (const stream of this.whoWants(typeUrl, name)) this.respond(stream, typeUrl, [this.resource(typeUrl, name)], []);
  }

  /** Takes a resource away. */
  withdraw(typeUrl: string, name: string): void {
    this.held.get(typeUrl)?.delete(name);
    for (const stream of this.whoWants(typeUrl, name)) this.respond(stream, typeUrl, [], [name]);
  }

  /** Ends every stream; new ones are refused until `restore`. */
  lose(): void {
    this.away = true;
    for (const stream of this.streams.keys()) stream.emit('error', { code: grpc.status.UNAVAILABLE, details: 'out of reach' });
  }

  restore(): void {
    this.away = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
  }

  private accept(stream: Stream): void {
    if (this.away) {
      stream.emit('error', { code: grpc.status.UNAVAILABLE, details: 'out of reach' });
      return;
    }
    this.streams.set(stream, new Map());
    this.asked.push('stream');
    stream.on('data', (request: DeltaDiscoveryRequest) => {
      if (request.errorDetail !== undefined) this.refused.push(request.errorDetail.message);
      if (request.typeUrl === VIRTUAL_HOST_TYPE_URL) this.note(request);
      this.read(stream, request);
    });
    stream.on('error', () => {}); // Who closes tears its stream.
    stream.on('close', () => this.streams.delete(stream));
    stream.on('end', () => stream.end());
  }

  private note({ resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions }: DeltaDiscoveryRequest): void {
    this.asked.push(...resourceNamesSubscribe.map((name) => `+${name}`), ...resourceNamesUnsubscribe.map((name) => `-${name}`));
    const held = Object.keys(initialResourceVersions).sort();
    if (held.length > 0) this.asked.push(`held ${held.join(' ')}`);
  }

  private read(stream: Stream, { typeUrl, resourceNamesSubscribe, resourceNamesUnsubscribe, responseNonce }: Request): void {
    const wishes = this.streams.get(stream)!;
    // A first request without names is for everything.
    const first = !wishes.has(typeUrl) && resourceNamesSubscribe.length === 0;
    if (first && responseNonce !== '') return;
    const wish = wishes.get(typeUrl) ?? { names: new Set<string>(), all: false };
    wishes.set(typeUrl, wish);
    wish.all ||= first || resourceNamesSubscribe.includes('*');
    const names = resourceNamesSubscribe.filter((name) => name !== '*');
    for (const name of names) wish.names.add(name);
    for (const name of resourceNamesUnsubscribe) wish.names.delete(name);
    // Virtual hosts are given to those who name them alone.
    const everything = first || resourceNamesSubscribe.includes('*') ? [...(this.held.get(typeUrl)?.keys() ?? [])] : [];
    this.answer(stream, typeUrl, typeUrl === VIRTUAL_HOST_TYPE_URL ? names : [...new Set([...everything, ...names])], first);
  }

  private answer(stream: Stream, typeUrl: string, names: readonly string[], always: boolean): void {
    const has = (name: string): boolean => this.held.get(typeUrl)?.has(name) ?? false;
    const absent = this.absence === 'silent' ? [] : names.filter((name) => !has(name));
    const empty = this.absence === 'empty' ? absent.map((name) => this.resource(typeUrl, name)) : [];
    const resources = [...names.filter(has).map((name) => this.resource(typeUrl, name)), ...empty];
    const removed = this.absence === 'removed' ? absent : [];
    if (always || resources.length + removed.length > 0) this.respond(stream, typeUrl, resources, removed);
  }

  private *whoWants(typeUrl: string, name: string): Iterable<Stream> {
    for (const [stream, wishes] of this.streams) {
      const wish = wishes.get(typeUrl);
      if (wish?.names.has(name) || (wish?.all && typeUrl !== VIRTUAL_HOST_TYPE_URL)) yield stream;
    }
  }

  private resource(typeUrl: string, name: string): Resource {
    const { version = '', resource } = this.held.get(typeUrl)?.get(name) ?? {};
    const aliases = typeUrl === VIRTUAL_HOST_TYPE_URL ? [name] : [];
    return { name, version, aliases, resource, ttl: undefined, cacheControl: undefined, metadata: undefined, resourceName: undefined };
  }

  private respond(stream: Stream, typeUrl: string, resources: readonly Resource[], removedResources: readonly string[]): void {
    const nonce = String(++this.nonces);
    const response = { typeUrl, nonce, systemVersionInfo: nonce, resources: [...resources], removedResources: [...removedResources] };
    stream.write(DeltaDiscoveryResponse.fromPartial(response));
  }
}
