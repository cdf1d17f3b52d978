import { describe, expect, it } from 'vitest';
import { ResponseFlag as Flag, formatResponseFlags } from './response-flags.ts';

describe('response flags', () => {
  it.each([
    ['none', 0, '-'],
    ['one', Flag.NoRouteFound, 'NR'],
    [
      'retries that ended, before what became of the last attempt',
      Flag.UpstreamConnectionFailure | Flag.UpstreamRetryLimitExceeded,
      'URX,UF',
    ],
    [
      'a retry that the circuit breaker did not let be made, before the attempt’s end',
      Flag.UpstreamConnectionFailure | Flag.UpstreamOverflow,
      'UO,UF',
    ],
    ['the last attempt’s own overflow, after the end of retries', Flag.UpstreamOverflow | Flag.UpstreamRetryLimitExceeded, 'URX,UO'],
    ['a delay, before all', Flag.UpstreamRequestTimeout | Flag.DelayInjected, 'DI,UT'],
    ['a caller that left, after all', Flag.DownstreamConnectionTermination | Flag.UpstreamConnectionTermination, 'UC,DC'],
  ])('are written as Envoy sets them: %s', (_what, flags, text) => {
    expect(formatResponseFlags(flags)).toBe(text);
  });

  it('of bytes: first an attempt fails, then there is none left', () => {
    expect(formatResponseFlags(Flag.UpstreamConnectionFailure | Flag.UpstreamRetryLimitExceeded, 'tcp')).toBe('UF,URX');
  });
});
