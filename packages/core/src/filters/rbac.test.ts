import { describe, expect, it } from 'vitest';
import { DecisionRecord } from '../decision-record.ts';
import { NO_PEER } from '../exchange.ts';
import { FilterCounters } from '../filter-counters.ts';
import type { LocalReply } from '../local-reply.ts';
import type { HttpConnectionManager } from '../route/route.ts';
import { exchange, FakeHead } from '../testing/fakes.ts';
import { ANY_RULE, andRules, authenticatedRule, createRbac, notRule, orRules, type RbacRule, type RbacRuleSet } from './rbac.ts';

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

  it('says of a connection where it went and who made it', () => {
    const lines: string[] = [];
    const any: RbacRuleSet = { action: 'LOG', policies: [{ name: 'p', permission: ANY_RULE, principal: ANY_RULE }] };
    const filter = createRbac({ rules: any, shadowRules: undefined, shadowPrefix: '' }, { log: (line) => lines.push(line) })!;
    filter.onRequest!(exchange({ protocol: 'tcp', port: 3306, peer: { ...NO_PEER, address: '10.0.0.9', uriSans: ['spiffe://a'] } }));
    filter.onRequest!(exchange({ protocol: 'tcp', port: 3306, peer: { ...NO_PEER, address: '10.0.0.9' } }));
    expect(lines).toEqual(['audit: p: a connection to port 3306 by spiffe://a', 'audit: p: a connection to port 3306 by 10.0.0.9']);
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

describe('a verdict', () => {
  const judge = (action: 'ALLOW' | 'DENY', path: string, name = 'ns[default]-policy[p]-rule[7]', sources?: unknown) => {
    const x = exchange({ request: new FakeHead({}, { path }), manager: { sources } as unknown as HttpConnectionManager });
    x.decision = new DecisionRecord();
    const policies = [{ name, permission: ADMIN, principal: ANY_RULE }];
    const reply = createRbac({ rules: { action, policies }, shadowRules: undefined, shadowPrefix: '' })!.onRequest!(x) as
      | LocalReply
      | undefined;
    return { details: reply?.details, said: x.decision.decisions };
  };
  const source = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'p' };

  it.each([
    ['ALLOW', '/admin', undefined, { text: 'authorization: ALLOW by rule 7: goes on', source }],
    ['DENY', '/admin', 'ns[default]-policy[p]-rule[7]', { text: 'authorization: DENY by rule 7: denied', source }],
    ['DENY', '/', undefined, { text: 'authorization: no DENY policy matches: goes on' }],
  ] as const)('%s at %s refuses by %s, and a record says why', (action, path, policy, said) => {
    const verdict = judge(action, path);
    expect(verdict.details).toBe(policy === undefined ? undefined : `rbac_access_denied_matched_policy[${policy}]`);
    expect(verdict.said).toEqual([{ step: 'filter', ...said }]);
  });

  it('that no ALLOW policy gives names each that was looked at, with its document', () => {
    const names = ['ns[default]-policy[p]-rule[7]', 'ns[default]-policy[p]-rule[8]', 'ns[default]-policy[q]-rule[0]', 'own'];
    const x = exchange({ request: new FakeHead({}, { path: '/' }), manager: {} as unknown as HttpConnectionManager });
    x.decision = new DecisionRecord();
    const policies = names.map((name) => ({ name, permission: ADMIN, principal: ANY_RULE }));
    const reply = createRbac({ rules: { action: 'ALLOW', policies }, shadowRules: undefined, shadowPrefix: '' })!.onRequest!(x);
    expect((reply as LocalReply).details).toBe('rbac_access_denied_matched_policy[none]');
    expect(x.decision.decisions).toEqual([
      { step: 'filter', text: 'authorization: no ALLOW policy matches: denied' },
      { step: 'filter', text: 'authorization: none of the 2 rules of default/p matches', source },
      { step: 'filter', text: 'authorization: the rule of default/q does not match', source: { ...source, name: 'q' } },
      { step: 'filter', text: 'authorization: the rule of own does not match' },
    ]);
  });

  it.each([
    [10, []],
    [11, ['authorization: nor do 1 more policies']],
    [13, ['authorization: nor do 3 more policies']],
  ])('that none of %i policies gives names ten of them, and counts the rest', (count, rest) => {
    const x = exchange({ request: new FakeHead({}, { path: '/' }), manager: {} as unknown as HttpConnectionManager });
    x.decision = new DecisionRecord();
    const policies = Array.from({ length: count }, (_, at) => ({ name: `p${at}`, permission: ADMIN, principal: ANY_RULE }));
    createRbac({ rules: { action: 'ALLOW', policies }, shadowRules: undefined, shadowPrefix: '' })!.onRequest!(x);
    const named = Array.from({ length: 10 }, (_, at) => `authorization: the rule of p${at} does not match`);
    const said = x.decision.decisions.slice(1);
    expect(said.map(({ text }) => text)).toEqual([...named, ...rest]);
    expect(said.every(({ step }) => step === 'filter')).toBe(true);
  });

  it('names the document where that is known, and the policy as it is called where it is of no such form', () => {
    const known = { ...source, file: 'a.yaml', line: 3 };
    const sources = new Map([['AuthorizationPolicy default/p', known]]);
    expect(judge('DENY', '/admin', undefined, sources).said).toMatchObject([{ source: known }]);
    for (const name of ['own', 'x ns[a]-policy[b]-rule[1]', 'ns[a]-policy[b]-rule[1] x', 'ns[a]-policy[b]-rule[x]'])
      expect(judge('DENY', '/admin', name).said).toEqual([{ step: 'filter', text: `authorization: DENY by ${name}: denied` }]);
  });

  it('of an AUDIT policy is no line in a dry run, which counts nothing either', () => {
    const lines: string[] = [];
    const x = to('/admin');
    x.decision = new DecisionRecord({ dryRun: true });
    const counters = new FilterCounters();
    const config = { rules: rules('LOG'), shadowRules: rules('DENY'), shadowPrefix: 'istio_dry_run_deny_' };
    createRbac(config, { log: (line) => lines.push(line), counters })!.onRequest!(x);
    expect(lines).toEqual([]);
    expect(counters.all().every(({ value }) => value === 0)).toBe(true);
  });

  it('of an AUDIT policy names the caller, by identity or by address', () => {
    const lines: string[] = [];
    const filter = createRbac({ rules: rules('LOG'), shadowRules: undefined, shadowPrefix: '' }, { log: (line) => lines.push(line) })!;
    for (const peer of [{ uriSans: ['spiffe://a', 'spiffe://b'] }, { address: '10.0.0.9' }])
      filter.onRequest!(exchange({ request: new FakeHead({}, { path: '/admin' }), peer: { ...NO_PEER, ...peer } }));
    expect(lines.map((line) => line.replace(/.* by /, ''))).toEqual(['spiffe://a', '10.0.0.9']);
  });

  it('without any rules is none', () => {
    expect(createRbac({ rules: undefined, shadowRules: undefined, shadowPrefix: 'x' })).toBeUndefined();
  });

  it('of a dry run under another prefix is counted nowhere, and the metadata of others stays', () => {
    const counters = new FilterCounters();
    const x = to('/admin');
    x.metadata = new Map([[FILTER, { kept: 1 }]]);
    createRbac({ rules: undefined, shadowRules: rules('DENY'), shadowPrefix: 'x_istio_dry_run_deny_' }, { counters })!.onRequest!(x);
    expect(counters.all()).toEqual([]);
    expect(x.metadata.get(FILTER)).toMatchObject({ kept: 1, x_istio_dry_run_deny_shadow_engine_result: 'denied' });
  });
});

describe('a filter in front of connections', () => {
  const counted = (statPrefix: string | undefined, path: string, shadowPrefix?: string) => {
    const counters = new FilterCounters();
    const shadow = shadowPrefix === undefined ? {} : { rules: undefined, shadowRules: rules('ALLOW'), shadowPrefix };
    const config = { rules: rules('ALLOW'), shadowRules: undefined, shadowPrefix: '', statPrefix, ...shadow };
    createRbac(config, { counters, statPrefix: 'http;' }, 'envoy.filters.network.rbac')!.onRequest!(to(path));
    return counters.all().map(({ name, labels, value }) => [name, labels, value]);
  };
  const ofIstiod = { envoy_rbac_prefix: 'tcp', envoy_tcp_prefix: 'rbac' };
  /** They are there from the start, as Envoy's. */
  const enforced = [
    ['envoy_allowed', ofIstiod, 0],
    ['envoy_denied', ofIstiod, 0],
  ];

  it.each([
    ['/admin', 1, 0],
    ['/', 0, 1],
  ])('counts under the prefix of istiod (at %s: %i allowed, %i denied) with both of its words as labels', (path, allowed, denied) => {
    expect(counted('tcp.', path)).toEqual([
      ['envoy_allowed', ofIstiod, allowed],
      ['envoy_denied', ofIstiod, denied],
    ]);
  });

  it('counts under a prefix of its own with that as label, and nothing without one', () => {
    expect(counted('mine', '/admin')).toEqual([
      ['envoy_rbac_allowed', { envoy_rbac_prefix: 'mine' }, 1],
      ['envoy_rbac_denied', { envoy_rbac_prefix: 'mine' }, 0],
    ]);
    expect(counted(undefined, '/admin')).toEqual([]);
  });

  it('counts a dry run by the prefix of its rules, unless Istio has a name for it', () => {
    expect(counted('tcp.', '/', 'x_')).toEqual([
      ['envoy_x_shadow_allowed', ofIstiod, 0],
      ['envoy_x_shadow_denied', ofIstiod, 1],
      ...enforced,
    ]);
    expect(counted('tcp.', '/', 'istio_dry_run_allow_x')).toEqual([
      ['envoy_istio_dry_run_allow_xshadow_allowed', ofIstiod, 0],
      ['envoy_istio_dry_run_allow_xshadow_denied', ofIstiod, 1],
      ...enforced,
    ]);
    expect(counted('tcp.', '/', 'istio_dry_run_allow_')).toContainEqual([
      'envoy_http_http_rbac',
      { authz_dry_run_action: 'allow', authz_dry_run_result: 'denied' },
      1,
    ]);
  });

  it('without a prefix of its listener is counted without one, and only a `;` at the end of it is no part', () => {
    const namesOf = (statPrefix: string | undefined) => {
      const counters = new FilterCounters();
      const config = { rules: undefined, shadowRules: rules('DENY'), shadowPrefix: 'istio_dry_run_deny_' };
      createRbac(config, statPrefix === undefined ? { counters } : { counters, statPrefix });
      return new Set(counters.all().map(({ name }) => name));
    };
    expect(namesOf(undefined)).toEqual(new Set(['envoy_http__rbac']));
    expect(namesOf('a;b;')).toEqual(new Set(['envoy_http_a_b_rbac']));
  });
});

describe('policies by the caller', () => {
  it('are asked for their principals once per connection, when these look at nothing else, and else for each request', () => {
    const asked: string[] = [];
    const principal = (name: string, peerOnly: boolean, holds: boolean): RbacRule => ({
      peerOnly,
      test: () => {
        asked.push(name);
        return holds;
      },
    });
    const policies = [
      { name: 'stranger', permission: ANY_RULE, principal: principal('stranger', true, false) },
      { name: 'caller', permission: ADMIN, principal: principal('caller', true, true) },
      { name: 'request', permission: ADMIN, principal: principal('request', false, false) },
    ];
    const filter = createRbac({ rules: { action: 'ALLOW', policies }, shadowRules: undefined, shadowPrefix: '' })!;
    const peer = { ...NO_PEER };
    const call = (path: string) => filter.onRequest!(exchange({ request: new FakeHead({}, { path }), peer }));
    expect(call('/admin')).toBeUndefined();
    expect(asked).toEqual(['stranger', 'caller']);
    expect(call('/admin')).toBeUndefined();
    expect(asked).toEqual(['stranger', 'caller']);
    expect(call('/')).toMatchObject({ status: 403 });
    expect(asked).toEqual(['stranger', 'caller']);
  });
});

describe('rules', () => {
  const yes: RbacRule = { peerOnly: true, test: () => true };
  const no: RbacRule = { peerOnly: true, test: () => false };
  const ofRequest: RbacRule = { peerOnly: false, test: () => true };
  const x = to('/');
  const verdict = ({ peerOnly, test }: RbacRule): boolean[] => [test(x), peerOnly];

  it.each<[rule: RbacRule, holds: boolean, peerOnly: boolean]>([
    [andRules([yes, yes]), true, true],
    [andRules([yes, no]), false, true],
    [andRules([no, yes]), false, true],
    [andRules([]), true, true],
    [andRules([no]), false, true],
    [andRules([yes, ofRequest]), true, false],
    [orRules([no, yes]), true, true],
    [orRules([no, no]), false, true],
    [orRules([]), false, true],
    [orRules([yes]), true, true],
    [orRules([no, ofRequest]), true, false],
    [notRule(no), true, true],
    [notRule(ofRequest), false, false],
    [ANY_RULE, true, true],
  ])('hold together, and of the connection alone only when each is: %#', (rule, holds, peerOnly) => {
    expect(verdict(rule)).toEqual([holds, peerOnly]);
  });

  it.each<[peer: Partial<typeof NO_PEER>, holds: boolean, anybody: boolean]>([
    [{ mtls: true, uriSans: ['x', 'me'] }, true, true],
    [{ mtls: true, dnsSans: ['x', 'me'] }, true, true],
    [{ mtls: true, subject: 'me' }, true, true],
    [{ mtls: true, uriSans: ['x'] }, false, true],
    [{ mtls: false, uriSans: ['me'] }, false, false],
  ])('authenticated as %j: by name %s, as anybody %s', (peer, holds, anybody) => {
    const who = exchange({ request: new FakeHead(), peer: { ...NO_PEER, ...peer } });
    expect(authenticatedRule((name) => name === 'me').test(who)).toBe(holds);
    expect(verdict(authenticatedRule(undefined))[1]).toBe(true);
    expect(authenticatedRule(undefined).test(who)).toBe(anybody);
  });
});
