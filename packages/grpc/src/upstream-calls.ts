import grpc from '@grpc/grpc-js';
import { type Cluster, Exchange, isLease, type Lease, NO_PEER, type NoAnswer, type Timer, type UpstreamGrpcCall } from '@ripstop/core';
import { type AttemptOwner, CallAttempt } from './call-attempt.ts';
import { CallHead } from './call-head.ts';
import type { CallStream } from './call-stream.ts';
import { type ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';

type Answer = { readonly message: Uint8Array } | NoAnswer;

const NO_OPTIONS: ClientOptions = { values: {}, text: 'upstream-calls' };

/** Makes the gRPC calls of filters; see UpstreamCalls. Its connections are its own. */
export class GrpcUpstreamCalls {
  readonly #parts: GrpcParts;
  readonly #channels: EndpointChannels;

  constructor(parts: GrpcParts) {
    this.#parts = parts;
    this.#channels = new EndpointChannels(parts);
  }

  /** One message there, one back; the promise never rejects. */
  call(call: UpstreamGrpcCall): Promise<Answer> {
    const { x } = call;
    const cluster = x.snapshot.clusters.get(call.cluster);
    if (cluster === undefined) return Promise.resolve({ failure: `there is no cluster ${call.cluster}` });
    const metadata = new grpc.Metadata();
    metadata.set('x-envoy-internal', 'true');
    if (call.timeoutMs > 0) metadata.set('x-envoy-expected-rq-timeout-ms', String(call.timeoutMs));
    for (const [name, value] of call.metadata) metadata.add(name, value);
    const request = new CallHead('http', call.authority, call.path, metadata);
    const exchange = new Exchange({
      direction: 'outbound',
      protocol: 'grpc',
      request,
      snapshot: x.snapshot,
      manager: x.manager,
      peer: NO_PEER,
      port: x.port,
      startedAt: this.#parts.clock.now(),
    });
    exchange.cluster = cluster;
    const leased = cluster.acquire(exchange);
    if (!isLease(leased)) return Promise.resolve({ failure: `${leased.status} ${leased.details}` });
    return new Promise((resolve) => new UnaryCall(this.#parts, this.#channels, exchange, request, leased, call, resolve).start(cluster));
  }

  close(): void {
    this.#channels.close();
  }
}

class UnaryCall implements AttemptOwner {
  readonly #parts: GrpcParts;
  readonly #channels: EndpointChannels;
  readonly #exchange: Exchange;
  readonly #head: CallHead;
  readonly #lease: Lease;
  readonly #call: UpstreamGrpcCall;
  readonly #answer: (answer: Answer) => void;
  #attempt: CallAttempt | undefined;
  #stream: CallStream | undefined;
  #timer: Timer | undefined;
  #message: Buffer | undefined;
  #done = false;

  constructor(
    parts: GrpcParts,
    channels: EndpointChannels,
    exchange: Exchange,
    head: CallHead,
    lease: Lease,
    call: UpstreamGrpcCall,
    answer: (answer: Answer) => void,
  ) {
    this.#parts = parts;
    this.#channels = channels;
    this.#exchange = exchange;
    this.#head = head;
    this.#lease = lease;
    this.#call = call;
    this.#answer = answer;
  }

  start(cluster: Cluster): void {
    const channel = this.#channels.of(this.#lease.endpoint, cluster, this.#head.authority, NO_OPTIONS);
    const attempt = new CallAttempt(this, this.#lease, cluster, this.#channels, channel, this.#exchange.startedAt);
    this.#attempt = attempt;
    if (!attempt.admit()) {
      this.#finish({ kind: 'reset', reason: 'overflow' }, { failure: 'overflow' });
      return;
    }
    const { timeoutMs, message } = this.#call;
    if (timeoutMs > 0) {
      const expire = (): void => this.#finish({ kind: 'reset', reason: 'global-timeout' }, { failure: 'global-timeout' });
      this.#timer = this.#parts.clock.setTimer(expire, timeoutMs);
    }
    const stream = attempt.start({ head: this.#head, deadline: Number.POSITIVE_INFINITY, credentials: undefined });
    this.#stream = stream;
    stream.sendMessageWithContext({}, Buffer.from(message));
    stream.halfClose();
    stream.startRead();
  }

  onAttemptReady(): void {}
  onAttemptMetadata(): void {}

  onAttemptMessage(message: Buffer): void {
    this.#message = message;
    this.#stream?.startRead();
  }

  onAttemptStatus(status: grpc.StatusObject): void {
    const latencyMs = this.#parts.clock.now() - this.#exchange.startedAt;
    const message = this.#message;
    const answered = status.code === grpc.status.OK && message !== undefined;
    this.#finish(
      { kind: 'response', status: 200, grpcStatus: status.code, latencyMs },
      answered ? { message } : { failure: `gRPC status ${status.code}: ${status.details}` },
    );
  }

  #finish(outcome: Parameters<CallAttempt['end']>[0], answer: Answer): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer?.cancel();
    this.#attempt?.end(outcome);
    this.#answer(answer);
  }
}
