import {
  type DeadlineQueues,
  Exchange,
  type ForwardAction,
  isLease,
  type Lease,
  type MirrorPolicy,
  NO_PEER,
  StepDeadline,
} from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { Attempt, type AttemptOwner, type UpgradedSocket } from './attempt.ts';
import type { EndpointPools } from './endpoint-pools.ts';
import { forwardableLines } from './forwardable-lines.ts';
import { OutboundHead } from './outbound-head.ts';
import { BodyTee } from './request-body.ts';

export interface MirrorEnvironment {
  readonly pools: EndpointPools;
  readonly deadlines: DeadlineQueues;
  readonly clock: { now(): number };
}

/**
 * Sends the request on to each mirror that applies, without waiting and without telemetry, as Envoy's shadow requests go. `authority`: the
 * request's before an endpoint gave it its own.
 */
export function sendMirrors(env: MirrorEnvironment, x: Exchange, action: ForwardAction, body: unknown, authority: string): void {
  for (const policy of action.mirrors) if (policy.applies(x)) sendMirror(env, x, policy, action.timeoutMs, body, authority);
}

function sendMirror(env: MirrorEnvironment, x: Exchange, policy: MirrorPolicy, timeoutMs: number, body: unknown, original: string): void {
  const cluster = x.snapshot.clusters.get(policy.cluster);
  if (cluster === undefined) return;
  const { request } = x;
  const authority = policy.appendShadowSuffix ? shadowAuthority(original) : original;
  const head = new OutboundHead(request.scheme, authority, request.method, request.path, null, '');
  // As they are: what the mesh itself wrote goes with the copy, which a head of an app's own would leave out.
  head.lines.push(...forwardableLines(request).slice(2));
  // The endpoint's own name (auto_host_rewrite) is for that endpoint alone.
  if (original !== request.authority) head.removeHeader('x-envoy-original-host');
  head.setHeader('x-envoy-internal', 'true');
  const shadow = new Exchange({
    direction: 'outbound',
    protocol: x.protocol,
    request: head,
    snapshot: x.snapshot,
    manager: x.manager,
    peer: NO_PEER,
    port: x.port,
    startedAt: env.clock.now(),
  });
  shadow.route = x.route;
  shadow.cluster = cluster;
  shadow.hash = x.hash;
  const leased = cluster.acquire(shadow);
  if (!isLease(leased)) return;
  const pool = env.pools.of(leased, leased.cluster, authority);
  new ShadowRequest(env, head, leased, body).start((owner) => new Attempt(owner, leased, pool, leased.cluster), timeoutMs);
}

/** `reviews:9080` → `reviews-shadow:9080`. */
export function shadowAuthority(authority: string): string {
  const colon = authority.lastIndexOf(':');
  const bracket = authority.lastIndexOf(']');
  return colon > bracket && colon >= 0 ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}` : `${authority}-shadow`;
}

/** Reads a mirror's response to its end and forgets it. */
class ShadowRequest implements AttemptOwner {
  readonly #env: MirrorEnvironment;
  readonly #head: OutboundHead;
  readonly #lease: Lease;
  readonly #body: unknown;
  #attempt: Attempt | undefined;
  #deadline: StepDeadline | undefined;

  constructor(env: MirrorEnvironment, head: OutboundHead, lease: Lease, body: unknown) {
    this.#env = env;
    this.#head = head;
    this.#lease = lease;
    this.#body = body;
  }

  start(attemptFor: (owner: AttemptOwner) => Attempt, timeoutMs: number): void {
    this.#attempt = attemptFor(this);
    if (timeoutMs > 0) {
      this.#deadline = new StepDeadline(() => {
        this.#lease.release({ kind: 'reset', reason: 'global-timeout' });
        this.#attempt?.detach(false);
      });
      this.#env.deadlines.start(this.#deadline, timeoutMs, this.#env.clock.now());
    }
    this.#attempt.start();
  }

  attemptOptions(): Dispatcher.DispatchOptions {
    const { path, method, lines } = this.#head;
    const body = this.#body instanceof BodyTee ? this.#body.read(true) : this.#body;
    return { path, method, headers: lines, body: body as Dispatcher.DispatchOptions['body'], blocking: false };
  }

  onAttemptHead(_attempt: Attempt, status: number): void {
    if (status >= 200) this.#lease.answered(status, undefined);
  }

  onAttemptEnd(): void {
    this.#stop();
    this.#lease.release({ kind: 'complete' });
  }

  onAttemptOverflow(): void {
    this.#stop();
    this.#lease.release({ kind: 'reset', reason: 'overflow' });
  }

  onAttemptError(): void {
    this.#stop();
    this.#lease.release({ kind: 'reset', reason: 'connection-termination' });
  }

  onAttemptUpgrade(_attempt: Attempt, _status: number, _headers: unknown, socket: UpgradedSocket): void {
    socket.destroy();
    this.onAttemptError();
  }

  onAttemptSent(): void {}
  onAttemptBodyChunk(): void {}
  onAttemptChunk(): void {}

  #stop(): void {
    if (this.#deadline !== undefined) this.#env.deadlines.cancel(this.#deadline);
  }
}
