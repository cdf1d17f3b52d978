import type { Exchange, RequestHead } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import { type LocalReply, localReply } from '../local-reply.ts';
import { ResponseFlag } from '../response-flags.ts';
import type { HeaderTest } from '../route/header-matcher.ts';

/** A share of requests, as Envoy's FractionalPercent. */
export interface FaultShare {
  readonly numerator: number;
  readonly denominator: number;
}

/** Envoy's HTTP fault filter, decoded. */
export interface FaultConfig {
  /** `fixedMs` undefined = x-envoy-fault-delay-request says how long. */
  readonly delay: { readonly share: FaultShare; readonly fixedMs: number | undefined } | undefined;
  /** `status` undefined = x-envoy-fault-abort-request or -abort-grpc-request says which. */
  readonly abort: { readonly share: FaultShare; readonly status: FaultStatus | undefined } | undefined;
  /** All must match. */
  readonly headers: readonly HeaderTest[];
  /** Over so many faults at once, requests pass without. */
  readonly maxActiveFaults: number | undefined;
}

export interface FaultStatus {
  readonly http: number;
  readonly grpc: number | undefined;
}

/** Delay, then abort, each with its own dice. It stands before the router: a delay is no part of the route's timeout, an abort is never retried. */
export function createFault(config: FaultConfig, env: FilterEnv): Filter | undefined {
  const delay = config.delay !== undefined && config.delay.share.numerator > 0 && config.delay.fixedMs !== 0 ? config.delay : undefined;
  const abort = config.abort !== undefined && config.abort.share.numerator > 0 ? config.abort : undefined;
  if (delay === undefined && abort === undefined) return undefined; // nothing to do at run time costs nothing
  const fixed = abort?.status === undefined ? undefined : abortReply(abort.status);
  const active = config.maxActiveFaults === undefined ? undefined : new ActiveFaults(config.maxActiveFaults, env);

  const tossAbort = (x: Exchange): LocalReply | undefined => {
    if (abort === undefined) return undefined;
    const reply = fixed ?? requestedAbort(x.request);
    if (reply === undefined || !hits(abort.share, x.request, 'x-envoy-fault-abort-request-percentage', env)) return undefined;
    return active === undefined || active.take(x) ? reply : undefined;
  };
  const tossDelay = (x: Exchange): number => {
    if (delay === undefined) return 0;
    const ms = delay.fixedMs ?? requestedNumber(x.request, 'x-envoy-fault-delay-request') ?? 0;
    if (ms <= 0 || !hits(delay.share, x.request, 'x-envoy-fault-delay-request-percentage', env)) return 0;
    return active === undefined || active.take(x) ? ms : 0;
  };
  return {
    name: 'envoy.filters.http.fault',
    onRequest: (x: Exchange) => {
      if (!config.headers.every((matches) => matches(x.request))) return undefined;
      const delayMs = tossDelay(x);
      if (delayMs === 0) return tossAbort(x);
      x.flags |= ResponseFlag.DelayInjected;
      return new Promise((resolve) => env.clock.setTimer(() => resolve(tossAbort(x)), delayMs));
    },
    explain: (x: Exchange) => (config.headers.every((matches) => matches(x.request)) ? explainFault(x, delay, abort) : undefined),
    ...(active === undefined ? {} : { onEnd: (x: Exchange) => active.give(x) }),
  };
}

/** What a request has to expect. Only an abort that hits every request is answered: chance decides nothing in a dry run. */
function explainFault({ request, decision }: Exchange, delay: FaultConfig['delay'], abort: FaultConfig['abort']): LocalReply | undefined {
  const percentOf = ({ numerator, denominator }: FaultShare): string => `${(100 * numerator) / denominator} % of requests`;
  if (delay !== undefined) {
    const ms = delay.fixedMs ?? requestedNumber(request, 'x-envoy-fault-delay-request');
    if (ms !== undefined) decision?.add('filter', `fault: a delay of ${ms} ms for ${percentOf(delay.share)}`);
  }
  if (abort === undefined) return undefined;
  const reply = abort.status === undefined ? requestedAbort(request) : abortReply(abort.status);
  if (reply === undefined) return undefined;
  decision?.add('filter', `fault: an abort with ${reply.status} for ${percentOf(abort.share)}`);
  return abort.share.numerator >= abort.share.denominator ? reply : undefined;
}

function abortReply({ http, grpc }: FaultStatus): LocalReply {
  return localReply({
    status: http,
    flags: ResponseFlag.FaultInjected,
    details: 'fault_filter_abort',
    body: 'fault filter abort',
    grpcStatus: grpc,
  });
}

/** The HTTP status that a request asks for, else its gRPC status; impossible ones are ignored. */
function requestedAbort(request: RequestHead): LocalReply | undefined {
  const http = requestedNumber(request, 'x-envoy-fault-abort-request');
  if (http !== undefined && http >= 200 && http < 600) return abortReply({ http, grpc: undefined });
  const grpc = requestedNumber(request, 'x-envoy-fault-abort-grpc-request');
  return grpc !== undefined && grpc <= 16 ? abortReply({ http: 200, grpc }) : undefined;
}

function requestedNumber(request: RequestHead, name: string): number | undefined {
  const text = request.header(name);
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** A request may ask for less than the configured share, never for more. */
function hits({ numerator, denominator }: FaultShare, request: RequestHead, name: string, env: FilterEnv): boolean {
  const asked = requestedNumber(request, name);
  return env.random() * denominator < (asked === undefined ? numerator : Math.min(asked, numerator));
}

/** Requests that a fault is being done to; one that is delayed and aborted counts once. */
class ActiveFaults {
  private readonly limit: number;
  private readonly count: { value: number };
  private readonly held = new WeakSet<Exchange>();

  constructor(limit: number, env: FilterEnv) {
    this.limit = limit;
    this.count = env.state('envoy.filters.http.fault/active', () => ({ value: 0 }));
  }

  take(x: Exchange): boolean {
    if (this.held.has(x)) return true;
    if (this.count.value >= this.limit) return false;
    this.count.value++;
    this.held.add(x);
    return true;
  }

  give(x: Exchange): void {
    if (this.held.delete(x)) this.count.value--;
  }
}
