import {
  DecisionRecord,
  Exchange,
  type Filter,
  type FilterEnv,
  type HttpConnectionManager,
  type LocalReply,
  NO_PEER,
  PathBinding,
  type Peer,
  type RequestHead,
  type Snapshot,
} from '@ripstop/core';
import { fromProtoJson, HttpRbac, HttpRbacPerRoute, NetworkRbac } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { networkRbacFilter, type RbacSettings, rbacFilter } from './rbac.ts';

// Envoy's readings; the stricter ones are in rbac-readings.test.ts.
const rbac = rbacFilter({ headerMatch: 'envoy', pathBinding: 'istio' });

const env: FilterEnv = {
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
  direction: 'inbound',
  state: (_key, create) => create(),
};
const ANY = [{ any: true }];

function filter(config: unknown): Filter | undefined {
  return rbac.create(rbac.decode(HttpRbac.encode(fromProtoJson(HttpRbac, config)).finish()), undefined, env);
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly peer?: Partial<Peer>;
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly hops?: number;
}

function asked({ headers = {}, path = '/', peer = {}, metadata = {}, hops = 0 }: Asked): Exchange {
  const request: RequestHead = {
    scheme: 'http',
    authority: 'a',
    method: 'GET',
    path,
    header: (name) => headers[name],
    headerLines: (name) => (headers[name] === undefined ? [] : [headers[name]]),
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  };
  const manager = { xffTrustedHops: hops, useRemoteAddress: false } as HttpConnectionManager;
  const who = { ...NO_PEER, address: '10.0.0.9', ...peer };
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request,
    snapshot: {} as Snapshot,
    manager,
    peer: who,
    port: 80,
    startedAt: 0,
  });
  x.matchPath = path.split('?')[0]!;
  x.metadata = new Map(Object.entries(metadata));
  return x;
}

/** Whether one permission, or principal, takes a request. */
function takes(rule: { permission?: unknown; principal?: unknown }, request: Asked = {}): boolean {
  const policy = {
    permissions: rule.permission === undefined ? ANY : [rule.permission],
    principals: rule.principal === undefined ? ANY : [rule.principal],
  };
  return filter({ rules: { action: 'DENY', policies: { p: policy } } })!.onRequest!(asked(request)) !== undefined;
}

describe('RBAC of connections', () => {
  const passes = (principal: unknown, address: string, settings?: RbacSettings): unknown => {
    const network = networkRbacFilter(settings);
    const config = { stat_prefix: 'tcp', rules: { action: 'DENY', policies: { p: { permissions: ANY, principals: [principal] } } } };
    const judge = network.create(network.decode(NetworkRbac.encode(fromProtoJson(NetworkRbac, config)).finish()), undefined, env)!;
    return [judge.name, judge.onRequest!(asked({ peer: { address } })) === undefined];
  };

  it('reads addresses strictly, or as Envoy does where that is asked for', () => {
    const from = { direct_remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } };
    const name = 'envoy.filters.network.rbac';
    expect(passes(from, '10.0.0.1')).toEqual([name, false]);
    expect(passes(from, '::ffff:10.0.0.1')).toEqual([name, false]);
    expect(passes(from, '::ffff:10.0.0.1', { headerMatch: 'envoy' })).toEqual([name, true]);
    expect(passes(from, '11.0.0.1')).toEqual([name, true]);
  });
});

describe('RBAC', () => {
  const policies = {
    b: { permissions: ANY, principals: [{ direct_remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } }] },
    a: { permissions: ANY, principals: ANY },
  };

  it.each<[config: unknown, details: string | undefined]>([
    [{ rules: { action: 'ALLOW', policies } }, undefined],
    [{ rules: { action: 'DENY', policies } }, 'rbac_access_denied_matched_policy[a]'], // in the order of their names
    [{ rules: { action: 'LOG', policies } }, undefined],
    [{ rules: {} }, 'rbac_access_denied_matched_policy[none]'],
    [{ rules: { action: 'DENY' } }, undefined],
    [{ shadow_rules: { action: 'DENY', policies } }, undefined],
  ])('%j', (config, details) => {
    const reply = filter(config)!.onRequest!(asked({})) as LocalReply | undefined;
    expect(reply?.details).toBe(details);
    if (reply !== undefined) expect(reply).toMatchObject({ status: 403, body: 'RBAC: access denied', flags: 0, headers: [] });
  });

  it('without rules is nothing, and a route may switch it off or have its own', () => {
    expect(filter({})).toBeUndefined();
    const deny = rbac.decode(HttpRbac.encode(fromProtoJson(HttpRbac, { rules: { action: 'DENY', policies } })).finish());
    const override = (config: unknown) => rbac.decodeOverride!(HttpRbacPerRoute.encode(fromProtoJson(HttpRbacPerRoute, config)).finish());
    expect(rbac.create(deny, override({}), env)).toBeUndefined();
    expect(rbac.create(deny, override({ rbac: { rules: { action: 'ALLOW', policies } } }), env)!.onRequest!(asked({}))).toBeUndefined();
  });

  it('shadow rules only note what they would have done', () => {
    const x = asked({});
    filter({ shadow_rules: { action: 'DENY', policies }, shadow_rules_stat_prefix: 'istio_dry_run_deny_' })!.onRequest!(x);
    expect(x.metadata?.get('envoy.filters.http.rbac')).toEqual({
      istio_dry_run_deny_shadow_effective_policy_id: 'a',
      istio_dry_run_deny_shadow_engine_result: 'denied',
    });
  });

  it.each<[name: string, peer: Partial<Peer>, takes: boolean]>([
    ['a URI SAN', { mtls: true, uriSans: ['spiffe://x'] }, true],
    ['any of several URI SANs', { mtls: true, uriSans: ['spiffe://y', 'spiffe://x'] }, true],
    ['a DNS SAN behind other URI SANs', { mtls: true, uriSans: ['spiffe://y'], dnsSans: ['spiffe://x'] }, true],
    ['the subject', { mtls: true, subject: 'spiffe://x' }, true],
    ['another name', { mtls: true, uriSans: ['spiffe://xx'] }, false],
    ['no TLS, whatever the names', { mtls: false, uriSans: ['spiffe://x'] }, false],
  ])('authenticated by %s', (_name, peer, wanted) => {
    expect(takes({ principal: { authenticated: { principal_name: { exact: 'spiffe://x' } } } }, { peer })).toBe(wanted);
    expect(takes({ principal: { not_id: { authenticated: { principal_name: { exact: 'spiffe://x' } } } } }, { peer })).toBe(!wanted);
    expect(takes({ principal: { authenticated: {} } }, { peer })).toBe(peer.mtls);
  });

  const net = (address_prefix: string, prefix_len: number) => ({ address_prefix, prefix_len });
  it.each<[range: ReturnType<typeof net>, address: string, takes: boolean]>([
    [net('10.0.0.0', 8), '10.255.0.1', true],
    [net('10.0.0.0', 8), '11.0.0.1', false],
    [net('10.0.0.7', 32), '10.0.0.7', true],
    [net('0.0.0.0', 0), '1.2.3.4', true],
    [net('0.0.0.0', 0), '::1', false],
    [net('2001:db8::', 32), '2001:db8:1::1', true],
    [net('2001:db8::', 32), '2001:db9::1', false],
    [net('1.2.3.4', 32), '::ffff:1.2.3.4', false],
  ])('%j and the peer %s', (range, address, wanted) => {
    expect(takes({ principal: { direct_remote_ip: range } }, { peer: { address } })).toBe(wanted);
    expect(takes({ permission: { destination_ip: range } }, { peer: { localAddress: address } })).toBe(wanted);
  });

  it.each<[forwarded: string | undefined, hops: number, address: string]>([
    [undefined, 0, '10.0.0.9'],
    ['1.1.1.1', 0, '1.1.1.1'],
    ['1.1.1.1, 2.2.2.2', 0, '2.2.2.2'],
    ['1.1.1.1,2.2.2.2', 1, '1.1.1.1'],
    ['1.1.1.1', 1, '10.0.0.9'], // too few entries
    ['1.1.1.1,', 0, '10.0.0.9'],
    ['1.1.1.1:80', 0, '10.0.0.9'],
    ['garbage', 0, '10.0.0.9'],
    ['999', 0, '10.0.0.9'],
    ['1.2.3', 0, '10.0.0.9'],
    ['::1', 0, '::1'],
  ])('x-forwarded-for %s behind %i proxies comes from %s', (forwarded, hops, address) => {
    const range = net(address, address.includes(':') ? 128 : 32);
    expect(
      takes({ principal: { remote_ip: range } }, { headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }, hops }),
    ).toBe(true);
  });

  const claim = (value: unknown, more: Record<string, unknown> = {}) => ({
    metadata: { filter: 'f', path: [{ key: 'a' }, { key: 'b' }], value, ...more },
  });
  it.each<[matcher: unknown, held: unknown, takes: boolean]>([
    [claim({ string_match: { exact: 'x' } }), 'x', true],
    [claim({ string_match: { exact: 'x' } }), ['x'], false],
    [claim({ string_match: { exact: '5' } }), 5, false],
    [claim({ string_match: { exact: 'x' } }), undefined, false],
    [claim({ string_match: { exact: 'x' } }, { invert: true }), undefined, true], // measured on Envoy 1.40
    [claim({ string_match: { exact: 'x' } }, { invert: true }), 'x', false],
    [claim({ list_match: { one_of: { string_match: { exact: 'x' } } } }), ['y', 'x'], true],
    [claim({ list_match: { one_of: { string_match: { exact: 'x' } } } }), 'x', false],
    [claim({ or_match: { value_matchers: [{ string_match: { exact: 'x' } }, { bool_match: true }] } }), true, true],
    [claim({ present_match: true }), 0, true],
    [claim({ present_match: true }), undefined, false],
    [claim({ present_match: false }), undefined, false], // measured
    [claim({ null_match: {} }), null, true],
    [claim({ null_match: {} }), undefined, false], // measured
    [claim({ double_match: { exact: 5 } }), 5, true],
    [claim({ double_match: { range: { start: 1, end: 5 } } }), 5, false],
  ])('%j of the claim %j', (matcher, held, wanted) => {
    const metadata = { f: held === undefined ? {} : { a: { b: held } } };
    expect(takes({ permission: matcher }, { metadata })).toBe(wanted);
    expect(takes({ principal: { not_id: matcher } }, { metadata })).toBe(!wanted);
    if (held === undefined) expect(takes({ permission: matcher }, { metadata: {} })).toBe(wanted);
  });

  it.each<[permission: unknown, request: Asked, takes: boolean]>([
    [{ url_path: { path: { exact: '/a' } } }, { path: '/a?b' }, true],
    [{ header: { name: ':path', string_match: { exact: '/a' } } }, { path: '/a?b' }, false],
    [{ header: { name: 'x', string_match: { exact: 'a' } } }, {}, false],
    [{ not_rule: { header: { name: 'x', string_match: { exact: 'a' } } } }, {}, true],
    [{ header: { name: 'x', string_match: { exact: 'a' }, invert_match: true } }, {}, false],
    [{ destination_port: 80 }, {}, true],
    [{ destination_port_range: { start: 80, end: 81 } }, {}, true],
    [{ destination_port_range: { start: 79, end: 80 } }, {}, false],
    [{ requested_server_name: { exact: 'sni' } }, { peer: { sni: 'sni' } }, true],
    [{ and_rules: { rules: [{ any: true }, { destination_port: 81 }] } }, {}, false],
    [{ or_rules: { rules: [{ destination_port: 81 }, { any: true }] } }, {}, true],
  ])('permission %j', (permission, request, wanted) => {
    expect(takes({ permission }, request)).toBe(wanted);
  });

  it.each<[principal: unknown, request: Asked, takes: boolean]>([
    [{ any: false }, {}, false],
    [{ source_ip: net('10.0.0.0', 8) }, {}, true],
    [{ source_ip: net('11.0.0.0', 8) }, {}, false],
    [{ header: { name: 'x', string_match: { exact: 'a' } } }, { headers: { x: 'a' } }, true],
    [{ header: { name: 'x', string_match: { exact: 'a' } } }, { headers: { x: 'b' } }, false],
    [{ url_path: { path: { exact: '/a' } } }, { path: '/a' }, true],
    [{ url_path: { path: { exact: '/a' } } }, { path: '/b' }, false],
    [{ and_ids: { ids: [{ any: true }, { any: false }] } }, {}, false],
    [{ or_ids: { ids: [{ any: false }, { any: true }] } }, {}, true],
    [
      { filter_state: { key: 'io.istio.peer_principal', string_match: { exact: 'spiffe://x' } } },
      { peer: { uriSans: ['y', 'spiffe://x'] } },
      true,
    ],
    [
      { filter_state: { key: 'io.istio.peer_principal', string_match: { exact: 'spiffe://x' } } },
      { peer: { uriSans: ['spiffe://xx'] } },
      false,
    ],
  ])('principal %j of %j', (principal, request, wanted) => {
    expect(takes({ principal }, request)).toBe(wanted);
  });

  it.each<[permission: unknown, takes: boolean]>([
    [{ any: false }, false],
    [{ destination_port_range: { start: 81, end: 90 } }, false],
    [{ destination_port_range: { start: 70, end: 90 } }, true],
    [{ destination_ip: { address_prefix: '0.0.0.0' } }, true],
    [{ destination_ip: net('10.0.0.0', 9) }, false],
  ])('permission %j at 227.0.0.1:80', (permission, wanted) => {
    expect(takes({ permission }, { peer: { localAddress: '227.0.0.1' } })).toBe(wanted);
  });

  it.each<[principal: unknown, first: Asked, then: Asked]>([
    [{ header: { name: 'x', string_match: { exact: 'a' } } }, { headers: { x: 'a' } }, { headers: { x: 'b' } }],
    [{ url_path: { path: { exact: '/a' } } }, { path: '/a' }, { path: '/b' }],
    [{ remote_ip: net('1.1.1.1', 32) }, { headers: { 'x-forwarded-for': '1.1.1.1' } }, { headers: { 'x-forwarded-for': '2.2.2.2' } }],
    [claim({ bool_match: true }), { metadata: { f: { a: { b: true } } } }, { metadata: { f: { a: { b: false } } } }],
    [{ and_ids: { ids: [{ any: true }, { url_path: { path: { exact: '/a' } } }] } }, { path: '/a' }, { path: '/b' }],
    [{ or_ids: { ids: [{ any: false }, { url_path: { path: { exact: '/a' } } }] } }, { path: '/a' }, { path: '/b' }],
    [{ not_id: { url_path: { path: { exact: '/b' } } } }, { path: '/a' }, { path: '/b' }],
  ])('principal %j is judged anew for each request of a connection', (principal, first, then) => {
    for (const [settings, ask] of [
      [{ headerMatch: 'envoy', pathBinding: 'istio' }, [first, then]],
      [{}, [then, first]],
    ] as const) {
      const compiled = rbacFilter(settings);
      const config = fromProtoJson(HttpRbac, { rules: { action: 'DENY', policies: { p: { permissions: ANY, principals: [principal] } } } });
      const judge = compiled.create(compiled.decode(HttpRbac.encode(config).finish()), undefined, env)!;
      const exchanges = ask.map((request) => asked(request));
      const denied = exchanges.map((x) => judge.onRequest!(Object.assign(x, { peer: exchanges[0]!.peer })) !== undefined);
      expect(denied).toEqual(ask.map((request) => request === first));
    }
  });

  it('names the first policy that matches, in the order of the names, whatever the order they come in', () => {
    const at = (exact: string) => ({ permissions: [{ url_path: { path: { exact } } }], principals: ANY });
    const judge = filter({ rules: { action: 'DENY', policies: { d: at('/1'), b: at('/1'), a: at('/2'), c: at('/1') } } })!;
    const reply = judge.onRequest!(asked({ path: '/1' })) as LocalReply | undefined;
    expect(reply?.details).toBe('rbac_access_denied_matched_policy[b]');
  });

  it('an AUDIT policy reads values as Envoy does, in every setting: it keeps nobody out', () => {
    const audited = (permission: unknown, request: Asked, binding?: PathBinding): boolean => {
      const strict = rbacFilter();
      const config = fromProtoJson(HttpRbac, { rules: { action: 'LOG', policies: { p: { permissions: [permission], principals: ANY } } } });
      const x = Object.assign(asked(request), { binding });
      expect(strict.create(strict.decode(HttpRbac.encode(config).finish()), undefined, env)!.onRequest!(x)).toBeUndefined();
      return x.metadata?.has('envoy.common') === true;
    };
    const role = { header: { name: 'x', string_match: { exact: 'a' } } };
    expect([audited(role, { headers: { x: 'a' } }), audited(role, { headers: { x: 'b,a' } })]).toEqual([true, false]);
    expect(audited({ not_rule: role }, { headers: { x: 'b,a' } })).toBe(true);
    expect(audited({ url_path: { path: { exact: '/a^b' } } }, { path: '/a%5Eb' })).toBe(false);
    const cuts = new PathBinding({ semicolons: true });
    expect(audited({ url_path: { path: { exact: '/a;b' } } }, { path: '/a;b' }, cuts)).toBe(true);
  });

  it('tells a record which action decided, by which policy', () => {
    const told = (rules: object): unknown => {
      const x = Object.assign(asked({}), { decision: new DecisionRecord() });
      filter({ rules })!.onRequest!(x);
      return x.decision.decisions;
    };
    expect(told({ action: 'ALLOW' })).toEqual([{ step: 'filter', text: 'authorization: no ALLOW policy matches: denied' }]);
    expect(told({ action: 'DENY', policies })).toEqual([{ step: 'filter', text: 'authorization: DENY by a: denied' }]);
  });

  it.each<[config: unknown, why: string]>([
    [{ matcher: {} }, 'matcher trees'],
    [{ shadow_matcher: {} }, 'matcher trees'],
    [
      { rules: { policies: { p: { permissions: ANY, principals: ANY, condition: { const_expr: { bool_value: true } } } } } },
      'policy p: CEL',
    ],
    [{ rules: { policies: { p: { permissions: ANY, principals: ANY, checked_condition: {} } } } }, 'policy p: CEL'],
    [{ rules: { policies: { p: { permissions: [{}], principals: ANY } } } }, 'a permission without a rule'],
    [{ rules: { policies: { p: { permissions: ANY, principals: [{}] } } } }, 'a principal without an identifier'],
    [{ rules: { policies: { p: { permissions: [{ url_path: {} }], principals: ANY } } } }, 'a path matcher without a rule'],
    [{ rules: { policies: { p: { permissions: ANY, principals: [{ url_path: {} }] } } } }, 'a path matcher without a rule'],
    [{ rules: { policies: { p: { permissions: [{ url_path: { path: {} } }], principals: ANY } } } }, 'a string matcher without a pattern'],
    [
      { rules: { policies: { p: { permissions: [{ uri_template: { name: 'x' } }], principals: ANY } } } },
      'a path template without configuration',
    ],
    [{ rules: { policies: { p: { permissions: [{ matcher: { name: 'own' } }], principals: ANY } } } }, 'permission matcher own'],
    [
      { rules: { policies: { p: { permissions: ANY, principals: [{ filter_state: { key: 'x', string_match: { exact: 'a' } } }] } } } },
      'filter state x',
    ],
    [
      { rules: { policies: { p: { permissions: ANY, principals: [{ filter_state: { key: 'io.istio.peer_principal' } }] } } } },
      'filter state io.istio',
    ],
  ])('refuses what it cannot enforce, saying what: %j', (config, why) => {
    expect(() => filter(config)).toThrow(why);
  });
});
