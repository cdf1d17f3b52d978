import type { Exchange, ResponseHead } from '../exchange.ts';
import type { Filter } from '../filter.ts';

/** How a caller carries the address of the host that it was sent to. */
export interface SessionState {
  /** `ip:port`; undefined = the request names none. */
  hostOf(x: Exchange): string | undefined;
  /** Tells the caller which host it is bound to. */
  tell(head: ResponseHead, host: string): void;
}

/** Envoy's stateful session: the host that a request names is taken first; a caller that was sent elsewhere is told so. */
export function createStatefulSession(state: SessionState, strict: boolean): Filter {
  return {
    name: 'envoy.filters.http.stateful_session',
    onRequest: (x) => {
      const key = state.hostOf(x);
      if (key !== undefined) x.overrideHost = { key, strict };
      return undefined;
    },
    onResponse: (x, head) => {
      const host = x.endpoint?.key;
      if (host !== undefined && host !== x.overrideHost?.key) state.tell(head, host);
    },
  };
}
