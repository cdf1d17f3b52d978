import { describe, expect, it } from 'vitest';
import type { Exchange } from '../exchange.ts';
import { describeAll, type HostRateLimits, policiesOf, type RateLimitPolicy } from './rate-limit-descriptors.ts';

const policy = (value: string, stage = 0): RateLimitPolicy => ({
  stage,
  describe: () => (value === '' ? undefined : { entries: [{ key: 'k', value }], limit: undefined }),
});
const host = [policy('host'), policy('host 1', 1)];
const valuesOf = (policies: readonly RateLimitPolicy[]): string[] =>
  describeAll(policies, {} as Exchange).map(({ entries }) => entries[0]!.value);

// As Envoy 1.40 chooses them (getVirtualHostRateLimitOption).
describe('the rate limits of a route and its host', () => {
  it.each<[route: readonly RateLimitPolicy[], includeHost: boolean, how: HostRateLimits, wanted: readonly string[]]>([
    [[policy('route')], false, 'override', ['route']],
    [[], false, 'override', ['host']],
    [[policy('route 1', 1)], false, 'override', []], // It has some, of another stage.
    [[policy('route')], false, 'include', ['route', 'host']],
    [[policy('route')], false, 'ignore', ['route']],
    [[], false, 'ignore', []],
    [[policy('route')], true, 'override', ['route', 'host']],
    [[policy('route')], true, 'ignore', ['route', 'host']],
  ])('count by what the route and the filter say: %j, included %s, %s', (route, includeHost, how, wanted) => {
    expect(valuesOf(policiesOf({ route, host, includeHost }, 0, how))).toEqual(wanted);
  });

  it('count at their stage', () => {
    const limits = { route: [policy('route'), policy('route 1', 1)], host, includeHost: true };
    expect(valuesOf(policiesOf(limits, 1, 'override'))).toEqual(['route 1', 'host 1']);
  });

  it('are none where there is no route', () => {
    expect(policiesOf(undefined, 0, 'include')).toEqual([]);
  });

  it('leave out what makes no descriptor of a request', () => {
    expect(valuesOf([policy(''), policy('a')])).toEqual(['a']);
  });
});
