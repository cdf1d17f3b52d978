import {
  Exchange,
  isLease,
  type Lease,
  NO_PEER,
  type NoAnswer,
  type ResetReason,
  StepDeadline,
  type UpstreamAnswer,
  type UpstreamHttpCall,
} from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { Attempt, type AttemptOwner, type UpgradedSocket } from './attempt.ts';
import type { MirrorEnvironment } from './mirror.ts';
import { OutboundHead } from './outbound-head.ts';
import { resetReasonOf } from './reset-reason.ts';
import type { ResponseHeaders } from './response-head.ts';

/** Envoy buffers as much of an answer to a call of its own. */
const MAX_ANSWER_BYTES = 1_048_576;

/** A call of a filter: one attempt, answered whole. See UpstreamCalls. */
export function callUpstream(env: MirrorEnvironment, call: UpstreamHttpCall): Promise<UpstreamAnswer | NoAnswer> {
  const { x } = call;
  const cluster = x.snapshot.clusters.get(call.cluster);
  if (cluster === undefined) return Promise.resolve({ failure: `there is no cluster ${call.cluster}` });
  const request = new OutboundHead('http', call.authority, call.method, call.path, null, '');
  request.lines.push(...call.headers);
  const exchange = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request,
    snapshot: x.snapshot,
    manager: x.manager,
    peer: NO_PEER,
    port: x.port,
    startedAt: env.clock.now(),
  });
  exchange.cluster = cluster;
  const leased = cluster.acquire(exchange);
  if (!isLease(leased)) return Promise.resolve({ failure: `${leased.status} ${leased.details}` });
  const pool = env.pools.of(leased, leased.cluster, call.authority);
  return new Promise((resolve) => {
    const owner = new HttpCall(env, request, call, leased, resolve);
    owner.start(new Attempt(owner, leased, pool, leased.cluster));
  });
}

class HttpCall implements AttemptOwner {
  readonly #env: MirrorEnvironment;
  readonly #head: OutboundHead;
  readonly #call: UpstreamHttpCall;
  readonly #lease: Lease;
  readonly #answer: (answer: UpstreamAnswer | NoAnswer) => void;
  #attempt: Attempt | undefined;
  #deadline: StepDeadline | undefined;
  #status = 0;
  #headers: ResponseHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(env: MirrorEnvironment, head: OutboundHead, call: UpstreamHttpCall, lease: Lease, answer: HttpCall['finished']) {
    this.#env = env;
    this.#head = head;
    this.#call = call;
    this.#lease = lease;
    this.#answer = answer;
  }

  start(attempt: Attempt): void {
    this.#attempt = attempt;
    const { timeoutMs } = this.#call;
    if (timeoutMs > 0) {
      this.#deadline = new StepDeadline(() => this.#fail('global-timeout'));
      this.#env.deadlines.start(this.#deadline, timeoutMs, this.#env.clock.now());
    }
    attempt.start();
  }

  attemptOptions(): Dispatcher.DispatchOptions {
    const { path, method, lines } = this.#head;
    const body = this.#call.body === undefined ? null : Buffer.from(this.#call.body);
    // undici would close the connection after every HEAD.
    return { path, method, headers: lines, body, blocking: false, ...(method === 'HEAD' ? { reset: false } : {}) };
  }

  onAttemptHead(_attempt: Attempt, status: number, headers: ResponseHeaders): void {
    if (status < 200) return;
    this.#lease.answered(status, undefined);
    this.#status = status;
    this.#headers = headers;
  }

  onAttemptChunk(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) this.#fail('protocol-error');
    else this.#chunks.push(chunk);
  }

  onAttemptEnd(): void {
    this.#lease.release({ kind: 'complete' });
    this.finished({ status: this.#status, headers: linesOf(this.#headers), body: Buffer.concat(this.#chunks) });
  }

  onAttemptOverflow(): void {
    this.#fail('overflow');
  }

  onAttemptError(_attempt: Attempt, error: Error): void {
    this.#fail(resetReasonOf(error));
  }

  onAttemptUpgrade(_attempt: Attempt, _status: number, _headers: unknown, socket: UpgradedSocket): void {
    socket.destroy();
    this.#fail('protocol-error');
  }

  onAttemptSent(): void {}
  onAttemptBodyChunk(): void {}

  finished(answer: UpstreamAnswer | NoAnswer): void {
    if (this.#deadline !== undefined) this.#env.deadlines.cancel(this.#deadline);
    this.#answer(answer);
  }

  #fail(reason: ResetReason): void {
    this.#lease.release({ kind: 'reset', reason });
    this.#attempt?.detach(false);
    this.finished({ failure: reason });
  }
}

function linesOf(headers: ResponseHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    return Array.isArray(value) ? value.map((one): [string, string] => [name.toLowerCase(), one]) : [[name.toLowerCase(), String(value)]];
  });
}
