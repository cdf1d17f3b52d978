import grpc from '@grpc/grpc-js';
import {
  type AttemptOutcome,
  type Cluster,
  Exchange,
  isLease,
  type Lease,
  NO_PEER,
  type NoAnswer,
  type ResetReason,
  type Timer,
  type UpstreamGrpcCall,
} from '@ripstop/core';
import { type AttemptOwner, type AttemptStart, CallAttempt } from './call-attempt.ts';
import { CallHead } from './call-head.ts';
import { type ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { RequestMessages } from './request-messages.ts';
import { originOfStatus } from './status-origin.ts';

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
    const request = new CallHead('http', call.authority, call.path, metadata, '');
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
    const init = { parts: this.#parts, channels: this.#channels, cluster, head: request, lease: leased, call };
    return new Promise((resolve) => new UnaryCall(init, resolve));
  }

  close(): void {
    this.#channels.close();
  }
}

interface UnaryCallInit {
  readonly parts: GrpcParts;
  readonly channels: EndpointChannels;
  readonly cluster: Cluster;
  readonly head: CallHead;
  readonly lease: Lease;
  readonly call: UpstreamGrpcCall;
}

class UnaryCall implements AttemptOwner {
  readonly #attempt: CallAttempt;
  readonly #messages = new RequestMessages();
  readonly #start: AttemptStart;
  readonly #timer: Timer | undefined;
  readonly #answer: (answer: Answer) => void;
  #message: Buffer | undefined;
  #done = false;

  constructor({ parts, channels, cluster, head, lease, call }: UnaryCallInit, answer: (answer: Answer) => void) {
    const { clock } = parts;
    this.#answer = answer;
    const channel = channels.of(lease, cluster, head.authority, NO_OPTIONS);
    this.#start = { head, deadline: Number.POSITIVE_INFINITY, credentials: undefined };
    this.#attempt = new CallAttempt(this, { lease, cluster, channels, channel, messages: this.#messages, clock });
    this.#messages.push({}, Buffer.from(call.message));
    this.#messages.halfClose();
    if (call.timeoutMs > 0) this.#timer = clock.setTimer(() => this.#fail('global-timeout'), call.timeoutMs);
    this.#attempt.start();
  }

  attemptStart(): AttemptStart {
    return this.#start;
  }

  onAttemptOpened(attempt: CallAttempt): void {
    attempt.startRead();
  }

  onAttemptOverflow(): void {
    this.#fail('overflow');
  }

  onAttemptReady(): void {}

  onAttemptConnectTimeout(): void {
    this.#fail('connect-timeout');
  }

  onAttemptMetadata(attempt: CallAttempt): void {
    attempt.lease.answered(200, undefined);
  }

  onAttemptMessage(attempt: CallAttempt, message: Buffer): void {
    this.#message = message;
    attempt.startRead();
  }

  onAttemptStatus(_attempt: CallAttempt, status: grpc.StatusObject): void {
    const origin = originOfStatus(status);
    const message = this.#message;
    if (status.code === grpc.status.OK && message !== undefined) this.#finish({ kind: 'complete' }, { message });
    else if (origin.kind === 'reset' && message === undefined) this.#fail(origin.reason);
    else this.#finish({ kind: 'complete' }, { failure: `gRPC status ${status.code}: ${status.details}` });
  }

  #fail(reason: ResetReason): void {
    this.#finish({ kind: 'reset', reason }, { failure: reason });
  }

  #finish(outcome: AttemptOutcome, answer: Answer): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer?.cancel();
    this.#messages.close();
    this.#attempt.lease.release(outcome);
    this.#attempt.end(outcome.kind === 'reset' ? outcome.reason : undefined);
    this.#answer(answer);
  }
}
