import type { Exchange } from '../../exchange.ts';
import type { Filter, FilterEnv } from '../../filter.ts';
import type { FilterCounter } from '../../filter-counters.ts';
import { type LocalReply, localReply } from '../../local-reply.ts';
import { ResponseFlag } from '../../response-flags.ts';

/** What an authorizer says of a connection. `error`: it could not be asked, or made no sense. */
export interface ConnectionVerdict {
  readonly kind: 'ok' | 'denied' | 'error';
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** Somebody who is asked about connections. Its promise never rejects. */
export interface ConnectionAuthorizer {
  ask(x: Exchange): Promise<ConnectionVerdict>;
}

export interface NetworkExtAuthzConfig {
  readonly authorizer: ConnectionAuthorizer;
  readonly failureModeAllow: boolean;
  /** Undefined = every connection. */
  readonly enabledWhen: ((x: Exchange) => boolean) | undefined;
  /** In the names of its counters. */
  readonly statPrefix: string;
}

export const NETWORK_EXT_AUTHZ = 'envoy.filters.network.ext_authz';

const HELP = 'Connections seen by external authorization';
const DENIED = refusal('ext_authz_denied');
const FAILED = refusal('ext_authz_error');

/** Envoy's external authorization of connections: it is closed unless the authorizer lets it pass. */
export function createNetworkExtAuthz(config: NetworkExtAuthzConfig, env: FilterEnv): Filter {
  const { authorizer, enabledWhen, failureModeAllow, statPrefix } = config;
  const count = (name: string): FilterCounter => env.counters?.counter(`envoy_ext_authz_${statPrefix}_${name}`, HELP, {}) ?? { value: 0 };
  const verdicts = { ok: count('ok'), denied: count('denied'), error: count('error') };
  const [total, closed] = [count('total'), count('cx_closed')];
  const [allowedAnyway, disabled] = [count('failure_mode_allowed'), count('disabled')];

  const ask = async (x: Exchange): Promise<LocalReply | undefined> => {
    total.value++;
    const verdict = await authorizer.ask(x);
    verdicts[verdict.kind].value++;
    if (verdict.metadata !== undefined) {
      x.metadata ??= new Map();
      x.metadata.set(NETWORK_EXT_AUTHZ, verdict.metadata);
    }
    if (verdict.kind === 'ok') return undefined;
    if (verdict.kind === 'error' && failureModeAllow) {
      allowedAnyway.value++;
      return undefined;
    }
    closed.value++;
    return verdict.kind === 'denied' ? DENIED : FAILED;
  };

  return {
    name: NETWORK_EXT_AUTHZ,
    onRequest: (x) => {
      if (enabledWhen?.(x) !== false) return ask(x);
      disabled.value++;
      return undefined;
    },
  };
}

/** Its status is for nobody: a connection knows none. */
function refusal(details: string): LocalReply {
  return localReply({ status: 403, flags: ResponseFlag.UnauthorizedExternalService, details });
}
