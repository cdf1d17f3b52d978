import type { RateLimitedBackOff, RetryPolicy } from '@ripstop/core';
import { PreviousPrioritiesConfig, RetryPolicy_ResetHeaderFormat, type RouteAction } from '@ripstop/xds-api';
import { compileHeaderMatcher } from './matchers.ts';
import { milliseconds } from './values.ts';

const TOKENS: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

type RetryPolicyMessage = NonNullable<RouteAction['retryPolicy']>;

/**
 * Undefined when the policy can neither retry nor bound a try. Unknown retry_on tokens are dropped silently, as in Envoy. A per-try timeout that is not
 * below the route's timeout (0 = none) has no effect there.
 */
export function compileRetryPolicy(message: RetryPolicyMessage | undefined, timeoutMs = 0): RetryPolicy | undefined {
  if (message === undefined) return undefined;
  const retryOn = tokensOf(message.retryOn);
  const isBounded = milliseconds(message.perTryTimeout, 0) > 0 || milliseconds(message.perTryIdleTimeout, 0) > 0;
  if (retryOn.size === 0 && !isBounded) return undefined;
  const base = Math.max(1, milliseconds(message.retryBackOff?.baseInterval, 25));
  const longest = milliseconds(message.retryBackOff?.maxInterval, 10 * base);
  if (longest < base) throw new Error(`retry_back_off: max_interval (${longest} ms) is below base_interval (${base} ms)`);
  const perTryTimeoutMs = milliseconds(message.perTryTimeout, 0);
  return {
    retryOn,
    numRetries: message.numRetries ?? 1,
    perTryTimeoutMs: timeoutMs > 0 && perTryTimeoutMs >= timeoutMs ? 0 : perTryTimeoutMs,
    perTryIdleTimeoutMs: milliseconds(message.perTryIdleTimeout, 0),
    retriableStatusCodes: message.retriableStatusCodes.length === 0 ? NO_CODES : new Set(message.retriableStatusCodes),
    backOffBaseMs: base,
    backOffMaxMs: longest,
    avoidPreviousHosts: message.retryHostPredicate.some((predicate) => isNamed(predicate, 'previous_hosts')),
    previousPrioritiesFrequency: previousPriorities(message.retryPriority),
    hostSelectionMaxAttempts: message.hostSelectionRetryMaxAttempts || 1,
    retriableHeaders: message.retriableHeaders.map((matcher) => compileHeaderMatcher(matcher)),
    retriableRequestHeaders: message.retriableRequestHeaders.map((matcher) => compileHeaderMatcher(matcher)),
    rateLimitedBackOff: rateLimitedBackOff(message.rateLimitedRetryBackOff),
  };
}

const NO_CODES: ReadonlySet<number> = new Set();
/** Thousands of routes say the same. */
const TEXTS_KEPT = 64;
const byText = new Map<string, ReadonlySet<string>>();

function tokensOf(retryOn: string): ReadonlySet<string> {
  let tokens = byText.get(retryOn);
  if (tokens === undefined) {
    const named = retryOn.split(',').map((token) => token.trim());
    tokens = new Set(named.filter((token) => TOKENS.has(token)));
    if (byText.size === TEXTS_KEPT) byText.clear();
    byText.set(retryOn, tokens);
  }
  return tokens;
}

interface Extension {
  readonly name: string;
  readonly configType: { readonly value: { readonly typeUrl: string; readonly value: Uint8Array } } | undefined;
}

/** Extensions are known by their type; configurations without one by their name. */
function isNamed({ name, configType }: Extension, extension: string): boolean {
  return name.includes(extension) || (configType?.value.typeUrl.includes(extension) ?? false);
}

function previousPriorities(priority: Extension | undefined): number {
  if (priority === undefined || !isNamed(priority, 'previous_priorities')) return 0;
  const any = priority.configType?.value;
  return any === undefined ? 2 : PreviousPrioritiesConfig.decode(any.value).updateFrequency;
}

function rateLimitedBackOff(message: RetryPolicyMessage['rateLimitedRetryBackOff']): RateLimitedBackOff | undefined {
  if (message === undefined) return undefined;
  return {
    resetHeaders: message.resetHeaders.map(({ name, format }) => ({
      name: name.toLowerCase(),
      format: format === RetryPolicy_ResetHeaderFormat.UNIX_TIMESTAMP ? 'unix_timestamp' : 'seconds',
    })),
    maxIntervalMs: milliseconds(message.maxInterval, 300_000),
  };
}
