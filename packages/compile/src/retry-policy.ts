import type { RetryPolicy } from '@ripstop/core';
import type { RouteAction } from '@ripstop/xds-api';
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

/** Undefined when the policy can never retry. Unknown retry_on tokens are dropped silently, as in Envoy. */
export function compileRetryPolicy(message: RetryPolicyMessage | undefined): RetryPolicy | undefined {
  if (message === undefined) return undefined;
  const retryOn = new Set(
    message.retryOn
      .split(',')
      .map((token) => token.trim())
      .filter((token) => TOKENS.has(token)),
  );
  if (retryOn.size === 0) return undefined;
  const base = Math.max(1, milliseconds(message.retryBackOff?.baseInterval, 25));
  const priorities = message.retryPriority?.name.includes('previous_priorities') ? 2 : 0;
  return {
    retryOn,
    numRetries: message.numRetries ?? 1,
    perTryTimeoutMs: milliseconds(message.perTryTimeout, 0),
    perTryIdleTimeoutMs: milliseconds(message.perTryIdleTimeout, 0),
    retriableStatusCodes: new Set(message.retriableStatusCodes),
    backOffBaseMs: base,
    backOffMaxMs: milliseconds(message.retryBackOff?.maxInterval, 10 * base),
    avoidPreviousHosts: message.retryHostPredicate.some((predicate) => predicate.name.includes('previous_hosts')),
    previousPrioritiesFrequency: priorities,
    hostSelectionMaxAttempts: message.hostSelectionRetryMaxAttempts || 1,
  };
}
