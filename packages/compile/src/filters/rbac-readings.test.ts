import {
  Exchange,
  type FilterEnv,
  type HttpConnectionManager,
  NO_PEER,
  PathBinding,
  type RequestHead,
  type RouterTraits,
  type Snapshot,
} from '@ripstop/core';
import { fromProtoJson, HttpRbac } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { type RbacSettings, rbacFilter } from './rbac.ts';

const env: FilterEnv = {
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
  direction: 'inbound',
  state: (_key, create) => create(),
};
const ENVOY: RbacSettings = { headerMatch: 'envoy', pathBinding: 'istio' };
const ANY = [{ any: true }];

interface Asked {
  readonly path?: string;
  readonly host?: string;
  readonly roles?: readonly string[];
  readonly forwardedFor?: string;
  readonly uri?: string;
  readonly router?: RouterTraits;
}

interface Rules {
  readonly action: 'ALLOW' | 'DENY';
  readonly permission?: unknown;
  readonly principal?: unknown;
}

/** Whether the rules let the request pass. */
function passes({ action, permission, principal }: Rules, asked: Asked, settings: RbacSettings = {}): boolean {
  const { path = '/', host = 'a', roles = [], forwardedFor, uri, router } = asked;
  const lines = new Map<string, readonly string[]>([
    ['x-role', roles],
    ['x-forwarded-for', forwardedFor === undefined ? [] : [forwardedFor]],
  ]);
  const request: RequestHead = {
    scheme: 'http',
    authority: host,
    method: 'GET',
    path,
    header: (name) => (lines.get(name)?.length ? lines.get(name)!.join(',') : undefined),
    headerLines: (name) => lines.get(name) ?? [],
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  };
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request,
    snapshot: {} as Snapshot,
    manager: {
      xffTrustedHops: 0,
      useRemoteAddress: false,
      normalizePath: true,
      mergeSlashes: false,
      escapedSlashes: 'KEEP_UNCHANGED',
    } as HttpConnectionManager,
    peer: { ...NO_PEER, address: '10.0.0.9', mtls: uri !== undefined, uriSans: uri === undefined ? [] : [uri] },
    port: 80,
    startedAt: 0,
    binding: router === undefined ? undefined : new PathBinding(router),
  });
  x.matchPath = path;
  const rules = {
    action,
    policies: {
      p: { permissions: permission === undefined ? ANY : [permission], principals: principal === undefined ? ANY : [principal] },
    },
  };
  const rbac = rbacFilter(settings);
  const filter = rbac.create(rbac.decode(HttpRbac.encode(fromProtoJson(HttpRbac, { rules })).finish()), undefined, env)!;
  return filter.onRequest!(x) === undefined;
}

const exactPath = (exact: string) => ({ url_path: { path: { exact } } });
const role = (exact: string) => ({ header: { name: 'x-role', string_match: { exact } } });
const not = (rule: unknown) => ({ not_rule: rule });
const hostIs = (exact: string) => ({ header: { name: ':authority', string_match: { exact, ignore_case: true } } });

interface Case {
  readonly what: string;
  readonly rules: Rules;
  readonly asked: Asked;
  /** What Ripstop and Envoy let pass. */
  readonly strict: boolean;
  readonly envoy: boolean;
}

const EXPRESS: RouterTraits = { ignoreCase: true, ignoreTrailingSlash: true };
const LENIENT: RouterTraits = { ...EXPRESS, mergeSlashes: true, semicolons: true };

const HEADERS: readonly Case[] = [
  {
    what: 'DENY: an element of a line',
    rules: { action: 'DENY', permission: role('admin') },
    asked: { roles: ['user, admin'] },
    strict: false,
    envoy: true,
  },
  {
    what: 'DENY: any line',
    rules: { action: 'DENY', permission: role('admin') },
    asked: { roles: ['user', 'admin'] },
    strict: false,
    envoy: false,
  },
  {
    what: 'DENY: no line',
    rules: { action: 'DENY', permission: role('admin') },
    asked: { roles: ['user', 'guest'] },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW: one of two lines',
    rules: { action: 'ALLOW', permission: role('in') },
    asked: { roles: ['in', 'out'] },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW: every line',
    rules: { action: 'ALLOW', permission: role('in') },
    asked: { roles: ['in', 'in'] },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW notValues: an element',
    rules: { action: 'ALLOW', permission: not(role('evil')) },
    asked: { roles: ['good,evil'] },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW notValues: none',
    rules: { action: 'ALLOW', permission: not(role('evil')) },
    asked: { roles: ['good'] },
    strict: true,
    envoy: true,
  },
  {
    what: 'DENY notValues: not every line is listed',
    rules: { action: 'DENY', permission: not(role('good')) },
    asked: { roles: ['good', 'evil'] },
    strict: false,
    envoy: true,
  },
  {
    what: 'DENY notValues: every line is listed',
    rules: { action: 'DENY', permission: not(role('good')) },
    asked: { roles: ['good', 'good'] },
    strict: true,
    envoy: true,
  },
  {
    what: 'DENY notValues twice',
    rules: { action: 'DENY', permission: not(not(role('admin'))) },
    asked: { roles: ['user,admin'] },
    strict: false,
    envoy: true,
  },
];

const HOSTS: readonly Case[] = [
  ...['secret.com:80', 'secret.com.', 'SECRET.com.:8080'].flatMap((host): Case[] => [
    { what: `DENY ${host}`, rules: { action: 'DENY', permission: hostIs('secret.com') }, asked: { host }, strict: false, envoy: true },
    { what: `ALLOW ${host}`, rules: { action: 'ALLOW', permission: hostIs('secret.com') }, asked: { host }, strict: false, envoy: false },
    {
      what: `ALLOW notHosts ${host}`,
      rules: { action: 'ALLOW', permission: not(hostIs('secret.com')) },
      asked: { host },
      strict: false,
      envoy: true,
    },
    {
      what: `DENY notHosts ${host}`,
      rules: { action: 'DENY', permission: not(hostIs('secret.com')) },
      asked: { host },
      strict: false,
      envoy: false,
    },
  ]),
  {
    what: 'DENY another host',
    rules: { action: 'DENY', permission: hostIs('secret.com') },
    asked: { host: 'xsecret.com:80' },
    strict: true,
    envoy: true,
  },
];

const identity = (regex: string) => ({ authenticated: { principal_name: { safe_regex: { regex } } } });
const remote = { remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } };
const second = 'spiffe://cluster.local/ns/evil/sa/b/ns/good/c';

const NAMES: readonly Case[] = [
  {
    what: 'ALLOW a second namespace',
    rules: { action: 'ALLOW', principal: identity('.*/ns/good/.*') },
    asked: { uri: second },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW the first namespace',
    rules: { action: 'ALLOW', principal: identity('.*/ns/evil/.*') },
    asked: { uri: second },
    strict: true,
    envoy: true,
  },
  {
    what: 'DENY a second namespace',
    rules: { action: 'DENY', principal: identity('.*/ns/good/.*') },
    asked: { uri: second },
    strict: false,
    envoy: false,
  },
  {
    what: 'ALLOW a namespace that stands in the name of another',
    rules: { action: 'ALLOW', principal: identity('.*/ns/good/.*') },
    asked: { uri: 'spiffe://cluster.local/ns/ns/good/sa/a' },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW a second namespace, and one that would be left when that is cut out',
    rules: { action: 'ALLOW', principal: identity('.*/ns/good/.*') },
    asked: { uri: 'spiffe://cluster.local/ns/evil/n/ns/s/good/x/ns/good/c' },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW the whole beginning of a name with two namespaces',
    rules: { action: 'ALLOW', principal: identity('spiffe://cluster.local/ns/evil/.*') },
    asked: { uri: second },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW a name with two namespaces as it is written',
    rules: { action: 'ALLOW', principal: { authenticated: { principal_name: { exact: second } } } },
    asked: { uri: second },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW a name without a namespace',
    rules: { action: 'ALLOW', principal: identity('spiffe://.*') },
    asked: { uri: 'spiffe://cluster.local/x' },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW a name that would only match with its second namespace rewritten',
    rules: { action: 'ALLOW', principal: identity('.*/-/good/.*') },
    asked: { uri: second },
    strict: false,
    envoy: false,
  },
  {
    what: 'DENY notNamespaces, a second',
    rules: { action: 'DENY', principal: { not_id: identity('.*/ns/good/.*') } },
    asked: { uri: second },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW an ordinary id',
    rules: { action: 'ALLOW', principal: identity('.*/ns/good/.*') },
    asked: { uri: 'spiffe://td/ns/good/sa/a' },
    strict: true,
    envoy: true,
  },
  {
    what: 'DENY an IPv4 address in IPv6',
    rules: { action: 'DENY', principal: remote },
    asked: { forwardedFor: '::ffff:10.0.0.1' },
    strict: false,
    envoy: true,
  },
  {
    what: 'DENY an IPv4 address',
    rules: { action: 'DENY', principal: remote },
    asked: { forwardedFor: '10.0.0.1' },
    strict: false,
    envoy: false,
  },
  {
    what: 'DENY another IPv4 address in IPv6',
    rules: { action: 'DENY', principal: remote },
    asked: { forwardedFor: '::FFFF:11.0.0.1' },
    strict: true,
    envoy: true,
  },
  {
    what: 'DENY ::1, and an address that ends in it',
    rules: { action: 'DENY', principal: { remote_ip: { address_prefix: '::1', prefix_len: 128 } } },
    asked: { forwardedFor: '1:2:3:4::1' },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW a block of no bits: everybody',
    rules: { action: 'ALLOW', principal: { remote_ip: { address_prefix: '0.0.0.0' } } },
    asked: { forwardedFor: '209.9.9.9' },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW an IPv4 address in IPv6',
    rules: { action: 'ALLOW', principal: remote },
    asked: { forwardedFor: '::ffff:10.0.0.1' },
    strict: false,
    envoy: false,
  },
];

const denies = (pattern: unknown): Rules => ({ action: 'DENY', permission: pattern });
const template = (path_template: string) => ({
  uri_template: {
    name: 'uri_template',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig', path_template },
  },
});

const PATHS: readonly Case[] = [
  ...['/Admin', '/admin/', '/ADMIN/'].map(
    (path): Case => ({
      what: `Express serves ${path}`,
      rules: denies(exactPath('/admin')),
      asked: { path, router: EXPRESS },
      strict: false,
      envoy: true,
    }),
  ),
  ...['//admin', '/admin;a=b', '/admin;', '/Admin//'].map(
    (path): Case => ({
      what: `a lenient router serves ${path}`,
      rules: denies(exactPath('/admin')),
      asked: { path, router: LENIENT },
      strict: false,
      envoy: true,
    }),
  ),
  {
    what: 'a policy in another case',
    rules: denies(exactPath('/Admin/')),
    asked: { path: '/admin', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  { what: 'a strict router', rules: denies(exactPath('/admin')), asked: { path: '/Admin', router: {} }, strict: true, envoy: true },
  { what: 'an unknown router', rules: denies(exactPath('/admin')), asked: { path: '/Admin' }, strict: true, envoy: true },
  { what: 'another path', rules: denies(exactPath('/admin')), asked: { path: '/administer', router: LENIENT }, strict: true, envoy: true },
  {
    what: 'a prefix',
    rules: denies({ url_path: { path: { prefix: '/admin/' } } }),
    asked: { path: '/ADMIN/x', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'a prefix, and its own root',
    rules: denies({ url_path: { path: { prefix: '/admin/' } } }),
    asked: { path: '/admin', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'a prefix of another name',
    rules: denies({ url_path: { path: { prefix: '/admin/' } } }),
    asked: { path: '/administer', router: EXPRESS },
    strict: true,
    envoy: true,
  },
  {
    what: 'a suffix',
    rules: denies({ url_path: { path: { suffix: '/admin' } } }),
    asked: { path: '/x/Admin/', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  { what: 'a template', rules: denies(template('/a/*/x')), asked: { path: '/A/1/X/', router: EXPRESS }, strict: false, envoy: true },
  {
    what: 'an escape that routers decode',
    rules: denies(exactPath('/a b')),
    asked: { path: '/a%20b', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  { what: 'a pattern that normalisation escapes', rules: denies(exactPath('/a^b')), asked: { path: '/a%5Eb' }, strict: false, envoy: true },
  { what: 'a second pass', rules: denies(exactPath('/admin')), asked: { path: '/x/..;/admin' }, strict: false, envoy: true },
  {
    what: 'a pattern that normalisation would escape, as it is written',
    rules: denies(exactPath('/a^b')),
    asked: { path: '/a^b' },
    strict: false,
    envoy: false,
  },
  {
    what: 'a pattern with a byte below 16 is no other path',
    rules: denies(exactPath('/a\x7fb')),
    asked: { path: '/a%7Fb' },
    strict: true,
    envoy: true,
  },
  {
    what: 'a regular expression, in another case',
    rules: denies({ url_path: { path: { safe_regex: { regex: '/admin/.*' } } } }),
    asked: { path: '/ADMIN/x', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'a regular expression that is written in another case',
    rules: denies({ url_path: { path: { safe_regex: { regex: '/Admin/.*' } } } }),
    asked: { path: '/admin/x', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'a policy with two slashes, where the router takes them for one',
    rules: denies(exactPath('/a//b')),
    asked: { path: '/a/b', router: LENIENT },
    strict: false,
    envoy: true,
  },
  {
    what: 'a policy with an escape that routers decode in parameters',
    rules: denies(exactPath('/users//a%40b')),
    asked: { path: '/users/a@b', router: LENIENT },
    strict: false,
    envoy: true,
  },
  {
    what: 'a regular expression, where case counts',
    rules: denies({ url_path: { path: { safe_regex: { regex: '/admin/.*' } } } }),
    asked: { path: '/ADMIN/x', router: {} },
    strict: true,
    envoy: true,
  },
  {
    what: 'a policy with parameters, where the router cuts them off',
    rules: denies(exactPath('/admin;v=1')),
    asked: { path: '/admin', router: LENIENT },
    strict: false,
    envoy: true,
  },
  {
    what: 'a policy with a semicolon that came escaped, in a parameter of a router that cuts',
    rules: denies(exactPath('/users/a;b')),
    asked: { path: '/users/a%3bb;x/public', router: LENIENT },
    strict: false,
    envoy: true,
  },
  { what: 'a second pass, elsewhere', rules: denies(exactPath('/admin')), asked: { path: '/x/..;/other' }, strict: true, envoy: true },
  {
    what: 'a second pass, in another case',
    rules: denies(exactPath('/admin')),
    asked: { path: '/x/..;/Admin', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'a second pass, elsewhere than the router serves',
    rules: denies(exactPath('/admin')),
    asked: { path: '/x/..;/other', router: EXPRESS },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW as written, an unknown router',
    rules: { action: 'ALLOW', permission: exactPath('/a') },
    asked: { path: '/a' },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW what the router serves as well',
    rules: { action: 'ALLOW', permission: { url_path: { path: { prefix: '/public' } } } },
    asked: { path: '/public;a=b', router: LENIENT },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW by what normalisation would make of the pattern',
    rules: { action: 'ALLOW', permission: exactPath('/a^b') },
    asked: { path: '/a%5Eb' },
    strict: false,
    envoy: false,
  },
  {
    what: 'ALLOW notPaths',
    rules: { action: 'ALLOW', permission: not(exactPath('/admin')) },
    asked: { path: '/Admin', router: EXPRESS },
    strict: false,
    envoy: true,
  },
  {
    what: 'ALLOW as written',
    rules: { action: 'ALLOW', permission: exactPath('/Admin') },
    asked: { path: '/Admin', router: EXPRESS },
    strict: true,
    envoy: true,
  },
  {
    what: 'ALLOW in another case',
    rules: { action: 'ALLOW', permission: exactPath('/admin') },
    asked: { path: '/Admin', router: EXPRESS },
    strict: false,
    envoy: false,
  },
  {
    what: 'ALLOW by what the router cuts off',
    rules: { action: 'ALLOW', permission: { url_path: { path: { suffix: '/public' } } } },
    asked: { path: '/admin;/public', router: LENIENT },
    strict: false,
    envoy: true,
  },
];

describe.each([
  ['repeated headers', HEADERS],
  ['hosts', HOSTS],
  ['identities and addresses', NAMES],
  ['paths', PATHS],
] as const)('policies about %s', (_title, cases) => {
  it.each(cases.map((one) => ({ ...one, title: one.what })))('$title', ({ rules, asked, strict, envoy }) => {
    expect(passes(rules, asked)).toBe(strict);
    expect(passes(rules, asked, ENVOY)).toBe(envoy);
    // Stricter only.
    if (strict) expect(envoy).toBe(true);
  });
});
