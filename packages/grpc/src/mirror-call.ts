import grpc from '@grpc/grpc-js';
import {
  type AttemptOutcome,
  Exchange,
  type ForwardAction,
  formatGrpcTimeout,
  isLease,
  type Lease,
  type MirrorPolicy,
  NO_PEER,
  routeTimeoutOf,
  type Timer,
} from '@ripstop/core';
import { type AttemptOwner, type AttemptStart, CallAttempt } from './call-attempt.ts';
import { CallHead } from './call-head.ts';
import type { ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { RequestMessages } from './request-messages.ts';
import { originOfStatus } from './status-origin.ts';

export interface MirrorEnvironment {
  readonly parts: GrpcParts;
  readonly channels: EndpointChannels;
}

/** Sends the call on to each mirror that applies, without waiting and without telemetry, as Envoy's shadow requests go. */
export function startMirrors(
  env: MirrorEnvironment,
  x: Exchange,
  action: ForwardAction,
  options: ClientOptions,
  messages: RequestMessages,
): MirrorCall[] {
  const mirrors: MirrorCall[] = [];
  const timeoutMs = routeTimeoutOf(x, action);
  for (const policy of action.mirrors) {
    const mirror = policy.applies(x) ? startMirror(env, x, policy, timeoutMs, options) : undefined;
    if (mirror === undefined) continue;
    for (const { flags, bytes } of messages.queued) mirror.send(flags, bytes);
    if (messages.complete) mirror.halfClose();
    mirrors.push(mirror);
  }
  return mirrors;
}

function startMirror(
  env: MirrorEnvironment,
  x: Exchange,
  policy: MirrorPolicy,
  timeoutMs: number,
  options: ClientOptions,
): MirrorCall | undefined {
  const cluster = x.snapshot.clusters.get(policy.cluster);
  if (cluster === undefined) return undefined;
  const original = x.request as CallHead;
  const authority = policy.appendShadowSuffix ? shadowAuthority(original.authority) : original.authority;
  const head = new CallHead(original.scheme, authority, original.path, original.metadata.clone(), '');
  head.setHeader('x-envoy-internal', 'true');
  // The app's, where the route has not told one: this call has no deadline of its own that grpc-js would write.
  if (x.grpcTimeoutMs !== undefined && x.grpcTimeoutMs >= 0 && head.header('grpc-timeout') === undefined)
    head.setHeader('grpc-timeout', formatGrpcTimeout(x.grpcTimeoutMs));
  const shadow = new Exchange({
    direction: 'outbound',
    protocol: 'grpc',
    request: head,
    snapshot: x.snapshot,
    manager: x.manager,
    peer: NO_PEER,
    port: x.port,
    startedAt: env.parts.clock.now(),
  });
  shadow.route = x.route;
  shadow.cluster = cluster;
  shadow.hash = x.hash;
  const leased = cluster.acquire(shadow);
  return isLease(leased) ? new MirrorCall(env, head, leased, timeoutMs, options) : undefined;
}

/** `greeter:50051` → `greeter-shadow:50051`. */
function shadowAuthority(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon > authority.lastIndexOf(']') ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}` : `${authority}-shadow`;
}

/** Gets the same messages as the call that it mirrors; its answer is read to the end and forgotten. */
export class MirrorCall implements AttemptOwner {
  readonly #attempt: CallAttempt;
  readonly #messages = new RequestMessages();
  readonly #start: AttemptStart;
  readonly #timer: Timer | undefined;
  #done = false;

  constructor(env: MirrorEnvironment, head: CallHead, lease: Lease, timeoutMs: number, options: ClientOptions) {
    const { clock } = env.parts;
    const { cluster } = lease;
    const channel = env.channels.of(lease, cluster, head.authority, options);
    this.#start = { head, deadline: Number.POSITIVE_INFINITY, credentials: undefined };
    this.#attempt = new CallAttempt(this, { lease, cluster, channels: env.channels, channel, messages: this.#messages, clock });
    this.#messages.commit();
    if (timeoutMs > 0) this.#timer = clock.setTimer(() => this.#end({ kind: 'reset', reason: 'global-timeout' }), timeoutMs);
    this.#attempt.start();
  }

  send(flags: number | undefined, message: Buffer): void {
    if (!this.#done) this.#messages.push(flags === undefined ? {} : { flags }, message);
  }

  halfClose(): void {
    if (!this.#done && !this.#messages.complete) this.#messages.halfClose();
  }

  attemptStart(): AttemptStart {
    return this.#start;
  }

  onAttemptOpened(attempt: CallAttempt): void {
    attempt.startRead();
  }

  onAttemptOverflow(): void {
    this.#end({ kind: 'reset', reason: 'overflow' });
  }

  onAttemptReady(): void {}

  onAttemptConnectTimeout(): void {
    this.#end({ kind: 'reset', reason: 'connect-timeout' });
  }

  onAttemptMetadata(attempt: CallAttempt): void {
    attempt.lease.answered(200, undefined);
  }

  onAttemptMessage(attempt: CallAttempt): void {
    attempt.startRead();
  }

  onAttemptStatus(_attempt: CallAttempt, status: grpc.StatusObject): void {
    const origin = originOfStatus(status);
    if (origin.kind === 'reset') this.#end({ kind: 'reset', reason: origin.reason });
    else this.#end(status.code === grpc.status.CANCELLED ? { kind: 'cancelled' } : { kind: 'complete' });
  }

  #end(outcome: AttemptOutcome): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer?.cancel();
    this.#messages.close();
    this.#attempt.lease.release(outcome);
    this.#attempt.end(outcome.kind === 'reset' ? outcome.reason : undefined);
  }
}
