import grpc from '@grpc/grpc-js';
import {
  type Any,
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  packAny,
  type Resource,
  VIRTUAL_HOST_TYPE_URL,
  VirtualHost,
} from '@ripstop/xds-api';

type Stream = grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** How a server says that there is no such host: an empty resource, a removed one, or not at all. */
export type Absence = 'empty' | 'removed' | 'silent';

/**
 * An ADS server (delta) that gives virtual hosts to those who ask for their names, `<route configuration>/<host>`. Everything else is
 * fixed. Keeps what it was asked for.
 */
export class HostServer implements AsyncDisposable {
  /** Names of virtual hosts that were asked for and given back, in order, as `+name` and `-name`; each stream begins with `stream`. */
  readonly asked: string[] = [];
  /** Refusals of virtual hosts. */
  readonly refused: string[] = [];
  readonly port: number;
  absence: Absence = 'removed';
  private readonly server: grpc.Server;
  private readonly fixed: ReadonlyMap<string, ReadonlyMap<string, Any>>;
  private readonly hosts = new Map<string, { readonly version: string; readonly message: VirtualHost }>();
  private readonly streams = new Map<Stream, Set<string>>();
  private versions = 0;
  private nonces = 0;
  private away = false;

  /** `fixed`: resources by type URL and name. */
  static async start(fixed: ReadonlyMap<string, ReadonlyMap<string, Any>>): Promise<HostServer> {
    const server = new grpc.Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return new HostServer(server, port, fixed);
  }

  private constructor(server: grpc.Server, port: number, fixed: ReadonlyMap<string, ReadonlyMap<string, Any>>) {
    this.server = server;
    this.port = port;
    this.fixed = fixed;
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

  /** A host of a route configuration, from now on; who has asked for it is told at once. */
  serve(table: string, host: string, message: VirtualHost): void {
    const name = `${table}/${host}`;
    this.hosts.set(name, { version: String(++this.versions), message });
    for (const [stream, names] of this.streams) if (names.has(name)) this.send(stream, [this.resource(name)], []);
  }

  /** Takes a host away. */
  withdraw(table: string, host: string): void {
    const name = `${table}/${host}`;
    this.hosts.delete(name);
    for (const [stream, names] of this.streams) if (names.has(name)) this.send(stream, [], [name]);
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
    this.streams.set(stream, new Set());
    this.asked.push('stream');
    stream.on('data', (request: DeltaDiscoveryRequest) => this.read(stream, request));
    stream.on('error', () => {}); // Who closes tears its stream.
    stream.on('close', () => this.streams.delete(stream));
    stream.on('end', () => stream.end());
  }

  private read(stream: Stream, request: DeltaDiscoveryRequest): void {
    if (process.env.DEBUG)
      console.log(
        request.typeUrl.slice(-30),
        request.resourceNamesSubscribe,
        request.resourceNamesUnsubscribe,
        request.initialResourceVersions,
        request.responseNonce,
        request.errorDetail?.message,
      );
    if (request.typeUrl === VIRTUAL_HOST_TYPE_URL) {
      this.readHosts(stream, request);
      return;
    }
    if (request.responseNonce !== '') return;
    const known = this.fixed.get(request.typeUrl);
    const names = request.resourceNamesSubscribe.filter((name) => name !== '*');
    const wanted = names.length === 0 ? [...(known?.keys() ?? [])] : names;
    const resources = wanted.flatMap((name) => resourceOf(name, known?.get(name)));
    this.respond(
      stream,
      request.typeUrl,
      resources,
      wanted.filter((name) => known?.get(name) === undefined),
    );
  }

  private readHosts(
    stream: Stream,
    { resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions, errorDetail, responseNonce }: DeltaDiscoveryRequest,
  ): void {
    if (errorDetail !== undefined) this.refused.push(errorDetail.message);
    const names = this.streams.get(stream)!;
    for (const name of resourceNamesSubscribe) names.add(name);
    for (const name of resourceNamesUnsubscribe) names.delete(name);
    this.asked.push(...resourceNamesSubscribe.map((name) => `+${name}`), ...resourceNamesUnsubscribe.map((name) => `-${name}`));
    const held = Object.keys(initialResourceVersions);
    if (held.length > 0) this.asked.push(`held ${held.sort().join(' ')}`);
    // The first request of a stream names none, and is answered: an Envoy's listener waits for it.
    if (resourceNamesSubscribe.length === 0 && responseNonce !== '') return;
    if (resourceNamesUnsubscribe.length > 0 && resourceNamesSubscribe.length === 0) return;
    const known = resourceNamesSubscribe.filter((name) => this.hosts.has(name));
    // A table by itself has no host of its own: what it has is asked for by name.
    const unknown = this.absence === 'silent' ? [] : resourceNamesSubscribe.filter((name) => name.includes('/') && !this.hosts.has(name));
    const empty = this.absence === 'empty' ? unknown.map((name) => ({ ...this.resource(name), resource: undefined })) : [];
    this.send(stream, [...known.map((name) => this.resource(name)), ...empty], this.absence === 'removed' ? unknown : []);
  }

  private resource(name: string): Resource {
    const host = this.hosts.get(name);
    return {
      name,
      version: host?.version ?? '',
      aliases: [name],
      resource: host === undefined ? undefined : packAny(VirtualHost, host.message),
      ttl: undefined,
      cacheControl: undefined,
      metadata: undefined,
      resourceName: undefined,
    };
  }

  private send(stream: Stream, resources: readonly Resource[], removed: readonly string[]): void {
    this.respond(stream, VIRTUAL_HOST_TYPE_URL, resources, removed);
  }

  private respond(stream: Stream, typeUrl: string, resources: readonly Resource[], removedResources: readonly string[]): void {
    stream.write(
      DeltaDiscoveryResponse.fromPartial({
        typeUrl,
        nonce: String(++this.nonces),
        systemVersionInfo: String(this.nonces),
        resources: [...resources],
        removedResources: [...removedResources],
      }),
    );
  }
}

function resourceOf(name: string, resource: Any | undefined): Resource[] {
  if (resource === undefined) return [];
  return [
    { name, version: '1', aliases: [], resource, ttl: undefined, cacheControl: undefined, metadata: undefined, resourceName: undefined },
  ];
}
