import grpc from '@grpc/grpc-js';
import { DeltaDiscoveryRequest, DiscoveryRequest } from '@ripstop/xds-api';
import type { Attestation } from '../ca/attest/attestation.ts';
import type { WorkloadAccount } from '../ca/token-issuer.ts';
import type { PushContext } from '../push/push-context.ts';
import { AdsStream, type AdsStreamOptions, type WireRequest } from './ads-stream.ts';
import type { Codec, Out } from './codec.ts';
import { DeltaCodec } from './delta.ts';
import { HoldingPool } from './holding.ts';
import { messageWriter } from './message-writer.ts';
import { LARGE_REQUEST_BYTES, RequestReader } from './request-reader.ts';
import { SharedBodies } from './shared-bodies.ts';
import { SotwCodec } from './sotw.ts';
import { Turn, Turns, type Work } from './turns.ts';
import type { XdsSession } from './xds-session.ts';

const PREFIX = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';

type Call = grpc.ServerDuplexStream<Buffer, Buffer>;

/** Bytes, in and out: what clients have in common is sent as it is (wire.ts), and what takes long is read later. */
function method(name: string): grpc.MethodDefinition<Buffer, Buffer> {
  const asItIs = (bytes: Buffer): Buffer => bytes;
  return {
    path: PREFIX + name,
    requestStream: true,
    responseStream: true,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  };
}

const METHODS = {
  StreamAggregatedResources: method('StreamAggregatedResources'),
  DeltaAggregatedResources: method('DeltaAggregatedResources'),
};

/** One variant of the protocol. */
interface Variant<Request> {
  readonly requests: RequestReader<Request>;
  readonly codec: (out: Out) => Codec<Request>;
}

function stateOfTheWorld(): Variant<DiscoveryRequest> {
  return { requests: new RequestReader((bytes) => DiscoveryRequest.decode(bytes)), codec: (out) => new SotwCodec(out) };
}

function delta(): Variant<DeltaDiscoveryRequest> {
  return { requests: new RequestReader((bytes) => DeltaDiscoveryRequest.decode(bytes)), codec: (out) => new DeltaCodec(out) };
}

interface OpenStream {
  readonly stream: { readonly session: XdsSession | undefined };
  readonly hangUp: () => void;
}

/** Pause between two streams that end on purpose: a client needs about that long to be served again. */
const GAP_MS = 10;

/** ADS on gRPC, delta and state of the world, for any number of servers (plaintext and TLS). */
export class AdsService {
  private readonly options: AdsStreamOptions;
  private readonly streams = new Set<OpenStream>();
  private draining = false;

  private readonly turns: Turns;
  private readonly bodies: SharedBodies;
  private readonly holdings = new HoldingPool();
  private readonly stateOfTheWorld = stateOfTheWorld();
  private readonly delta = delta();

  constructor(options: AdsStreamOptions) {
    this.options = options;
    this.turns = new Turns(options.scheduler);
    this.bodies = new SharedBodies(options.scheduler);
  }

  get sessions(): XdsSession[] {
    return [...this.streams].flatMap(({ stream }) => stream.session ?? []);
  }

  /** Another client can be let in (newcomers.ts). */
  get hasRoom(): boolean {
    return this.turns.newcomers.haveRoom;
  }

  /** With `attestation` only callers that prove who they are are served, and only as that. */
  addTo(server: grpc.Server, attestation: Attestation | undefined): void {
    server.addService(METHODS, {
      StreamAggregatedResources: (call: Call) => void this.open(call, attestation, this.stateOfTheWorld),
      DeltaAggregatedResources: (call: Call) => void this.open(call, attestation, this.delta),
    });
  }

  update(push: PushContext): void {
    for (const { stream } of this.streams) stream.session?.update(push);
  }

  /** Ends every stream, one after the other within `withinMs`: the clients do not all come to the next server at once. */
  async drain(withinMs: number): Promise<void> {
    this.draining = true;
    const open = [...this.streams];
    const gapMs = Math.min(GAP_MS, withinMs / open.length);
    for (const [index, { hangUp }] of open.entries()) {
      hangUp();
      if (index < open.length - 1) await new Promise<void>((resolve) => this.options.scheduler.setTimer(resolve, gapMs));
    }
  }

  close(): void {
    this.turns.close();
    this.bodies.close();
  }

  private async open<Request extends WireRequest>(
    call: Call,
    attestation: Attestation | undefined,
    variant: Variant<Request>,
  ): Promise<void> {
    const fail = (code: grpc.status, details: string): void => {
      call.emit('error', { code, details, message: details });
    };
    let account: WorkloadAccount | undefined;
    try {
      account = attestation === undefined ? undefined : await attestation.account(call);
    } catch (error) {
      fail(grpc.status.UNAUTHENTICATED, error instanceof Error ? error.message : String(error));
      return;
    }
    if (call.cancelled) return;
    if (this.draining) {
      fail(grpc.status.UNAVAILABLE, 'this control plane is shutting down');
      return;
    }
    const turn = new Turn(this.turns);
    const codec = variant.codec(this.outOf(call, turn));
    const whenItIsMyTurn = (work: Work): void => turn.take(work);
    const stream = new AdsStream(this.options, { account, peer: call.getPeer(), codec, fail, whenItIsMyTurn, holdings: this.holdings });
    const receive = (bytes: Buffer): void => {
      let request: Request;
      try {
        request = variant.requests.read(bytes);
      } catch (error) {
        fail(grpc.status.INTERNAL, `the request cannot be read: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      stream.receive(request);
      if (turn.isNewcomer && stream.session?.hasFirstSet === true) turn.settled();
    };
    let known = false;
    call.on('data', (bytes: Buffer) => {
      // Clients that come all at once must not be met all at once.
      if (known && bytes.length <= LARGE_REQUEST_BYTES) {
        receive(bytes);
        return;
      }
      known = true;
      // What it sends after this one waits with it.
      call.pause();
      turn.take(() => {
        receive(bytes);
        call.resume();
      });
    });
    this.serve(call, turn, stream);
  }

  private outOf(call: Call, turn: Turn): Out {
    const write = messageWriter(call);
    return {
      bodies: this.bodies,
      write: (message) => {
        const bytes = message.head.length + (message.body?.length ?? 0);
        turn.wrote(bytes);
        write(message, () => turn.read(bytes));
        return bytes;
      },
    };
  }

  private serve<Request extends WireRequest>(call: Call, turn: Turn, stream: AdsStream<Request>): void {
    const open = { stream, hangUp: () => call.end() };
    this.streams.add(open);
    const end = (clean: boolean, reason: string): void => {
      this.streams.delete(open);
      turn.end();
      stream.end(clean, reason);
    };
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
