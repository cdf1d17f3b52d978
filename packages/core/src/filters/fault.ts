import type { Exchange } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import { type LocalReply, localReply } from '../local-reply.ts';
import { ResponseFlag } from '../response-flags.ts';

/** Envoy's HTTP fault filter, decoded. Percentages 0 to 100. */
export interface FaultConfig {
  readonly delay: { readonly percent: number; readonly fixedMs: number } | undefined;
  readonly abort: { readonly percent: number; readonly httpStatus: number; readonly grpcStatus: number | undefined } | undefined;
}

/** Delay, then abort, each with its own dice. It stands before the router: a delay is no part of the route's timeout, an abort is never retried. */
export function createFault({ delay, abort }: FaultConfig, env: FilterEnv): Filter | undefined {
  const delays = delay !== undefined && delay.percent > 0 && delay.fixedMs > 0;
  const aborts = abort !== undefined && abort.percent > 0;
  if (!delays && !aborts) return undefined; // nothing to do at run time costs nothing
  const reply = aborts
    ? localReply({
        status: abort.httpStatus,
        flags: ResponseFlag.FaultInjected,
        details: 'fault_filter_abort',
        body: 'fault filter abort',
        grpcStatus: abort.grpcStatus,
      })
    : undefined;
  const toss = (): LocalReply | undefined => (aborts && env.random() * 100 < abort.percent ? reply : undefined);
  return {
    name: 'envoy.filters.http.fault',
    onRequest: (x: Exchange) => {
      if (!delays || env.random() * 100 >= delay.percent) return toss();
      x.flags |= ResponseFlag.DelayInjected;
      return new Promise((resolve) => env.clock.setTimer(() => resolve(toss()), delay.fixedMs));
    },
  };
}
