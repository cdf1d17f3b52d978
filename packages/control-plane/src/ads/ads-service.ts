import grpc from '@grpc/grpc-js';
import { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse } from '@ripstop/xds-api';
import type { Attestation, AttestedCall } from '../ca/attest/attestation.ts';
import type { WorkloadAccount } from '../ca/token-issuer.ts';
import type { PushContext } from '../push/push-context.ts';
import { AdsStream, type AdsStreamOptions, type WireRequest } from './ads-stream.ts';
import type { Codec } from './codec.ts';
import { DeltaCodec } from './delta.ts';
import { SotwCodec } from './sotw.ts';
import type { XdsSession } from './xds-session.ts';

const PREFIX = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';

interface WireCodec<T> {
  decode(bytes: Uint8Array): T;
  encode(message: T): { finish(): Uint8Array };
}

function method<Request, Response>(
  name: string,
  request: WireCodec<Request>,
  response: WireCodec<Response>,
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

type Call<Request> = grpc.ServerDuplexStream<Request, DiscoveryResponse> | grpc.ServerDuplexStream<Request, DeltaDiscoveryResponse>;

/** ADS on gRPC, delta and state of the world, for any number of servers (plaintext and TLS). */
export class AdsService {
  private readonly options: AdsStreamOptions;
  private readonly streams = new Set<{ readonly session: XdsSession | undefined }>();

  constructor(options: AdsStreamOptions) {
    this.options = options;
  }

  get sessions(): XdsSession[] {
    return [...this.streams].flatMap(({ session }) => session ?? []);
  }

  /** With `attestation` only callers that prove who they are are served, and only as that. */
  addTo(server: grpc.Server, attestation: Attestation | undefined): void {
    server.addService(METHODS, {
      StreamAggregatedResources: (call: grpc.ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) => {
        void this.open(call, attestation, new SotwCodec((message) => call.write(message)));
      },
      DeltaAggregatedResources: (call: grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) => {
        void this.open(call, attestation, new DeltaCodec((message) => call.write(message)));
      },
    });
  }

  update(push: PushContext): void {
    for (const { session } of this.streams) session?.update(push);
  }

  private async open<Request extends WireRequest>(
    call: Call<Request>,
    attestation: Attestation | undefined,
    codec: Codec<Request>,
  ): Promise<void> {
    const fail = (code: grpc.status, details: string): void => {
      call.emit('error', { code, details, message: details });
    };
    let account: WorkloadAccount | undefined;
    try {
      account = attestation === undefined ? undefined : await accountOf(call, attestation);
    } catch (error) {
      fail(grpc.status.UNAUTHENTICATED, error instanceof Error ? error.message : String(error));
      return;
    }
    if (call.cancelled) return;
    this.serve(call, new AdsStream(this.options, account, codec, fail));
  }

  private serve<Request extends WireRequest>(call: Call<Request>, stream: AdsStream<Request>): void {
    this.streams.add(stream);
    const end = (clean: boolean, reason: string): void => {
      this.streams.delete(stream);
      stream.end(clean, reason);
    };
    call.on('data', (request: Request) => stream.receive(request));
    call.on('end', () => {
      // A torn stream ends too, just before it is cancelled: only one that is still there after this turn said goodbye.
      setImmediate(() => {
        if (!call.cancelled) end(true, 'closed');
        call.end();
      });
    });
    call.on('cancelled', () => end(false, 'connection lost'));
    call.on('error', (error: Error) => end(false, error.message));
  }
}

async function accountOf(call: AttestedCall, attestation: Attestation): Promise<WorkloadAccount> {
  const { account, singleUse } = await attestation.identify(call);
  if (singleUse !== undefined)
    throw new Error('the join token is good for one certificate and nothing else: get that first, and come with it');
  return account;
}
