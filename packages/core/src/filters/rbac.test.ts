import { describe, expect, it } from 'vitest';
import { FilterCounters } from '../filter-counters.ts';
import { exchange, FakeHead } from '../testing/fakes.ts';
import { ANY_RULE, createRbac, type RbacRuleSet } from './rbac.ts';

const ADMIN = { peerOnly: false, test: ({ matchPath }: { readonly matchPath: string }) => matchPath === '/admin' };
const rules = (action: RbacRuleSet['action']): RbacRuleSet => ({
  action,
  policies: [{ name: 'ns[default]-policy[p]-rule[0]', permission: ADMIN, principal: ANY_RULE }],
});
const to = (path: string) => exchange({ request: new FakeHead({}, { path }) });
const FILTER = 'envoy.filters.http.rbac';

describe('an AUDIT policy', () => {
  it('lets pass what it matches, says so in log and metadata, and keeps the query to itself', () => {
    const lines: string[] = [];
    const filter = createRbac({ rules: rules('LOG'), shadowRules: undefined, shadowPrefix: '' }, { log: (line) => lines.push(line) })!;
    const [matched, other] = [to('/admin?token=secret'), to('/')];
    expect([filter.onRequest!(matched), filter.onRequest!(other)]).toEqual([undefined, undefined]);
    expect(lines).toEqual(['audit: ns[default]-policy[p]-rule[0]: GET "shop/admin" by ']);
    expect(matched.metadata?.get('envoy.common')).toEqual({ access_log_hint: true });
    expect(matched.metadata?.get(FILTER)).toEqual({
      enforced_effective_policy_id: 'ns[default]-policy[p]-rule[0]',
      enforced_engine_result: 'allowed',
    });
    expect(other.metadata).toBeUndefined();
  });
});

describe('a dry run', () => {
  it.each([
    ['DENY', 'deny', '/admin', 'denied'],
    ['DENY', 'deny', '/', 'allowed'],
    ['ALLOW', 'allow', '/admin', 'allowed'],
    ['ALLOW', 'allow', '/', 'denied'],
  ] as const)('of %s (%s) at %s is %s: metadata and a counter say so, nobody is refused', (action, name, path, result) => {
    const counters = new FilterCounters();
    const config = { rules: undefined, shadowRules: rules(action), shadowPrefix: `istio_dry_run_${name}_` };
    const filter = createRbac(config, { counters, statPrefix: 'inbound_0.0.0.0_8000;' })!;
    const x = to(path);
    expect(filter.onRequest!(x)).toBeUndefined();
    expect(x.metadata?.get(FILTER)).toEqual({
      ...(path === '/admin' ? { [`istio_dry_run_${name}_shadow_effective_policy_id`]: 'ns[default]-policy[p]-rule[0]' } : {}),
      [`istio_dry_run_${name}_shadow_engine_result`]: result,
    });
    expect(counters.all().filter(({ value }) => value > 0)).toMatchObject([
      { name: 'envoy_http_inbound_0_0_0_0_8000_rbac', value: 1, labels: { authz_dry_run_action: name, authz_dry_run_result: result } },
    ]);
  });

  it('counts on when the configuration is pushed again', () => {
    const counters = new FilterCounters();
    const config = { rules: undefined, shadowRules: rules('DENY'), shadowPrefix: 'istio_dry_run_deny_' };
    for (let push = 0; push < 2; push++) createRbac(config, { counters })!.onRequest!(to('/admin'));
    expect(counters.all().map(({ value }) => value)).toEqual([0, 2]);
  });
});
