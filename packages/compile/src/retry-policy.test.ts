import { PreviousHostsPredicate, PreviousPrioritiesConfig, packAny, RouteAction } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileRetryPolicy } from './retry-policy.ts';

type Message = NonNullable<Parameters<typeof RouteAction.fromPartial>[0]['retryPolicy']>;

const compile = (message: Message, timeoutMs?: number) =>
  compileRetryPolicy(RouteAction.fromPartial({ retryPolicy: message }).retryPolicy, timeoutMs);
const seconds = (value: number) => ({ seconds: Math.floor(value), nanos: Math.round((value % 1) * 1e9) });

describe('a retry policy of xDS', () => {
  it('has Envoy’s defaults', () => {
    expect(compile({ retryOn: '5xx' })).toMatchObject({
      numRetries: 1,
      perTryTimeoutMs: 0,
      backOffBaseMs: 25,
      backOffMaxMs: 250,
      hostSelectionMaxAttempts: 1,
      avoidPreviousHosts: false,
      previousPrioritiesFrequency: 0,
    });
    expect(compile({ retryOn: '5xx', numRetries: 0 })).toMatchObject({ numRetries: 0 });
  });

  it.each<[retryOn: string, tokens: string[]]>([
    ['5xx, reset ,connect-failure', ['5xx', 'reset', 'connect-failure']],
    ['5XX,Reset', []],
    ['503,unknown,unavailable', ['unavailable']],
    ['', []],
  ])('takes %j as %j', (retryOn, tokens) => {
    expect([...(compile({ retryOn })?.retryOn ?? [])]).toEqual(tokens);
  });

  it.each<[perTry: number, timeoutMs: number, effective: number]>([
    [1, 0, 1000],
    [1, 2000, 1000],
    [2, 2000, 0],
    [3, 2000, 0],
  ])('a per-try timeout of %i s under a route timeout of %i ms acts after %i ms', (perTry, timeoutMs, effective) => {
    expect(compile({ retryOn: '5xx', perTryTimeout: seconds(perTry) }, timeoutMs)?.perTryTimeoutMs).toBe(effective);
  });

  it.each<[base: number, max: number | undefined, expected: [number, number]]>([
    [0.1, undefined, [100, 1000]],
    [0.1, 0.3, [100, 300]],
    [0.0005, undefined, [1, 10]],
  ])('back-off of %f s and %s s', (base, max, expected) => {
    const retryBackOff = { baseInterval: seconds(base), maxInterval: max === undefined ? undefined : seconds(max) };
    const compiled = compile({ retryOn: '5xx', retryBackOff });
    expect([compiled?.backOffBaseMs, compiled?.backOffMaxMs]).toEqual(expected);
  });

  it('is refused when the longest back-off is shorter than the first', () => {
    const retryBackOff = { baseInterval: seconds(1), maxInterval: seconds(0.5) };
    expect(() => compile({ retryOn: '5xx', retryBackOff })).toThrow('max_interval (500 ms) is below base_interval (1000 ms)');
  });

  it('knows its extensions by type, whatever they are called', () => {
    const compiled = compile({
      retryOn: '5xx',
      hostSelectionRetryMaxAttempts: 5,
      retryHostPredicate: [
        { name: 'x', configType: { $case: 'typedConfig', value: packAny(PreviousHostsPredicate, PreviousHostsPredicate.fromPartial({})) } },
      ],
      retryPriority: {
        name: 'y',
        configType: {
          $case: 'typedConfig',
          value: packAny(PreviousPrioritiesConfig, PreviousPrioritiesConfig.fromPartial({ updateFrequency: 3 })),
        },
      },
    });
    expect(compiled).toMatchObject({ avoidPreviousHosts: true, previousPrioritiesFrequency: 3, hostSelectionMaxAttempts: 5 });
  });

  it('carries headers and rate-limited back-off', () => {
    const compiled = compile({
      retryOn: 'retriable-headers',
      retriableHeaders: [{ name: 'X-Again' }],
      rateLimitedRetryBackOff: { resetHeaders: [{ name: 'Retry-After' }, { name: 'X-Reset', format: 1 }] },
    });
    expect(compiled?.retriableHeaders?.[0]?.({ header: (name) => (name === 'x-again' ? '' : undefined) })).toBe(true);
    expect(compiled?.rateLimitedBackOff).toEqual({
      resetHeaders: [
        { name: 'retry-after', format: 'seconds' },
        { name: 'x-reset', format: 'unix_timestamp' },
      ],
      maxIntervalMs: 300_000,
    });
  });
});
