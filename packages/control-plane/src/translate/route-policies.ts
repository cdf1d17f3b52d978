import { STATUS_CODES } from 'node:http';
import {
  type CorsPolicy,
  GRPC_STATUS_NAMES,
  type HeaderOperations,
  type HTTPFaultInjection,
  type HTTPRetry,
  type LoadBalancerSettings,
} from '@ripstop/istio-api';
import {
  type Any,
  CorsFilterPolicy,
  type FractionalPercent,
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
  HTTPFault,
  PreviousHostsPredicate,
  PreviousPrioritiesConfig,
  packAny,
  type RouteAction,
  type RouteAction_HashPolicy,
} from '@ripstop/xds-api';
import { stringMatcher } from './route-match.ts';
import { duration, type FieldsOf, percentage, wholePercent } from './values.ts';

type RetryFields = NonNullable<FieldsOf<typeof RouteAction>['retryPolicy']>;

const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled';

/**
 * Istio's default: twice, on failures where the request certainly did not run. `retriable-status-codes` stands there without codes,
 * so a 503 is not retried by default. `attempts: 0` switches retries off.
 */
export function retryPolicy(
  retries: HTTPRetry | undefined,
  defaults: HTTPRetry | undefined,
  consistentHash: boolean,
): RetryFields | undefined {
  const spec = retries ?? defaults;
  if (spec !== undefined && (spec.attempts ?? 0) <= 0) return undefined;
  const { retryOn, codes } = retryConditions(spec?.retryOn);
  return {
    numRetries: spec?.attempts ?? 2,
    retryOn,
    retriableStatusCodes: codes,
    hostSelectionRetryMaxAttempts: 5,
    retryHostPredicate: (spec?.retryIgnorePreviousHosts ?? !consistentHash) ? [previousHosts()] : [],
    ...(spec?.perTryTimeout === undefined ? {} : { perTryTimeout: duration(spec.perTryTimeout)! }),
    ...(spec?.backoff === undefined ? {} : { retryBackOff: { baseInterval: duration(spec.backoff)! } }),
    ...(spec?.retryRemoteLocalities === true ? { retryPriority: previousPriorities() } : {}),
  };
}

/** Numbers in retryOn are status codes: they move to their own list, and `retriable-status-codes` is put behind the others. */
function retryConditions(retryOn: string | undefined): { retryOn: string; codes: number[] } {
  const codes: number[] = [];
  const names: string[] = [];
  for (const part of (retryOn === undefined || retryOn === '' ? `${DEFAULT_RETRY_ON},retriable-status-codes` : retryOn).split(',')) {
    const name = part.trim();
    if (/^\d{3}$/.test(name) && STATUS_CODES[name] !== undefined) codes.push(Number(name));
    else if (name !== '') names.push(name);
  }
  const retryOnNames = names.join(',');
  if (codes.length === 0 || names.includes('retriable-status-codes')) return { retryOn: retryOnNames, codes };
  return { retryOn: `${retryOnNames},retriable-status-codes`, codes };
}

function previousHosts(): NonNullable<RetryFields['retryHostPredicate']>[number] {
  return {
    name: 'envoy.retry_host_predicates.previous_hosts',
    configType: { $case: 'typedConfig', value: packAny(PreviousHostsPredicate, PreviousHostsPredicate.fromPartial({})) },
  };
}

function previousPriorities(): NonNullable<RetryFields['retryPriority']> {
  const config = PreviousPrioritiesConfig.fromPartial({ updateFrequency: 2 });
  return {
    name: 'envoy.retry_priorities.previous_priorities',
    configType: { $case: 'typedConfig', value: packAny(PreviousPrioritiesConfig, config) },
  };
}

/** A delay without percentage never strikes, an abort without one always does: as istiod sends it, so Envoy does it. */
export function faultConfig(fault: HTTPFaultInjection): Any {
  const { delay, abort } = fault;
  const config = HTTPFault.fromPartial({
    ...(delay?.fixedDelay === undefined
      ? {}
      : {
          delay: {
            faultDelaySecifier: { $case: 'fixedDelay', value: duration(delay.fixedDelay)! },
            percentage: delayPercentage(delay),
          },
        }),
    ...(abort === undefined
      ? {}
      : {
          abort: {
            errorType:
              abort.grpcStatus === undefined
                ? { $case: 'httpStatus', value: abort.httpStatus ?? 0 }
                : { $case: 'grpcStatus', value: GRPC_STATUS_NAMES.indexOf(abort.grpcStatus) },
            ...(abort.percentage === undefined ? {} : { percentage: percentage(abort.percentage.value) }),
          },
        }),
  });
  return packAny(HTTPFault, config);
}

function delayPercentage(delay: NonNullable<HTTPFaultInjection['delay']>): FractionalPercent {
  if (delay.percentage !== undefined) return percentage(delay.percentage.value);
  return wholePercent(delay.percent ?? 0);
}

export function corsConfig(policy: CorsPolicy): Any {
  const origins = [
    ...(policy.allowOrigins ?? []),
    // Envoy takes a plain `*` for every origin.
    ...(policy.allowOrigin ?? []).map((exact) => ({ exact })),
  ];
  const maxAge = duration(policy.maxAge);
  const config = CorsFilterPolicy.fromPartial({
    allowOriginStringMatch: origins.map(stringMatcher),
    allowMethods: (policy.allowMethods ?? []).join(','),
    allowHeaders: (policy.allowHeaders ?? []).join(','),
    exposeHeaders: (policy.exposeHeaders ?? []).join(','),
    ...(maxAge === undefined ? {} : { maxAge: String(maxAge.seconds) }),
    ...(policy.allowCredentials === undefined ? {} : { allowCredentials: policy.allowCredentials }),
    forwardNotMatchingPreflights: policy.unmatchedPreflights !== 'IGNORE',
    filterEnabled: { defaultValue: wholePercent(100) },
  });
  return packAny(CorsFilterPolicy, config);
}

export interface HeaderMutations {
  readonly add: FieldsOf<typeof HeaderValueOption>[];
  readonly remove: string[];
  /** `host` or `:authority`: a rewrite, not a header. */
  readonly authority: string | undefined;
}

export function headerMutations(operations: HeaderOperations | undefined): HeaderMutations {
  const add: FieldsOf<typeof HeaderValueOption>[] = [];
  let authority: string | undefined;
  const append = (entries: Readonly<Record<string, string>> | undefined, appendAction: HeaderValueOption_HeaderAppendAction): void => {
    for (const key of Object.keys(entries ?? {}).sort()) {
      const value = entries![key]!;
      if (key.toLowerCase() === 'host' || key === ':authority') authority ??= value;
      else if (!key.startsWith(':')) add.push({ header: { key, value }, appendAction });
    }
  };
  append(operations?.set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD);
  append(operations?.add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD);
  return {
    add,
    remove: [...(operations?.remove ?? [])].filter((name) => !name.startsWith(':') && name.toLowerCase() !== 'host'),
    authority,
  };
}

/** What a consistent-hash balancer hashes; it stands on the route (Envoy), though Istio writes it in the DestinationRule. */
export function hashPolicy(settings: LoadBalancerSettings | undefined): FieldsOf<typeof RouteAction_HashPolicy>[] {
  const hash = settings?.consistentHash;
  if (hash === undefined) return [];
  if (hash.httpHeaderName !== undefined) return [{ policySpecifier: { $case: 'header', value: { headerName: hash.httpHeaderName } } }];
  if (hash.httpCookie !== undefined) {
    const { name, path, ttl } = hash.httpCookie;
    const value = { name, ...(path === undefined ? {} : { path }), ...(ttl === undefined ? {} : { ttl: duration(ttl)! }) };
    return [{ policySpecifier: { $case: 'cookie', value } }];
  }
  if (hash.useSourceIp === true) return [{ policySpecifier: { $case: 'connectionProperties', value: { sourceIp: true } } }];
  if (hash.httpQueryParameterName !== undefined) {
    return [{ policySpecifier: { $case: 'queryParameter', value: { name: hash.httpQueryParameterName } } }];
  }
  return [];
}
