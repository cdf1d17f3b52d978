import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RbacSettings, standardFilters } from '@ripstop/compile';
import { Exchange, type Filter, type FilterEnv, type HttpConnectionManager, NO_PEER, type RequestHead, type Snapshot } from '@ripstop/core';
import { fromProtoJson, HttpFilter } from '@ripstop/xds-api';
import { parse, parseAllDocuments } from 'yaml';
import type { Call, Policy, Rule, TrustDomains } from './authorization-policy.ts';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance');
const folder = join(root, 'authz-http');
/** Istio's golden files are there. */
export const present: boolean = existsSync(folder);
if (!present) console.log(`skipped: Istio's authorization filters (no ${folder})`);

const NOWHERE: TrustDomains = { own: '', aliases: [] };

const env: FilterEnv = {
  clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
  direction: 'inbound',
  state: (_key, create) => create(),
};
const manager = { xffTrustedHops: 0, useRemoteAddress: false } as HttpConnectionManager;

/** Istio's filter as JSON, which an Envoy takes. */
export function filterJson(file: string): object {
  return parse(readFileSync(join(folder, file), 'utf8')) as object;
}

/** Istio's filter, compiled as the SDK compiles it. */
export function filterOf(file: string, settings: RbacSettings = {}): Filter {
  const message = fromProtoJson(HttpFilter, filterJson(file));
  const any = message.configType?.$case === 'typedConfig' ? message.configType.value : undefined;
  const factory = standardFilters(settings).find(({ typeUrl }) => typeUrl === any?.typeUrl)!;
  return factory.create(factory.decode(any!.value), undefined, env) ?? { name: 'nothing to do' };
}

export function policiesOf(file: string): Policy[] {
  return parseAllDocuments(readFileSync(join(folder, file), 'utf8'))
    .map((document) => document.toJS() as { metadata: { namespace: string }; spec?: { action?: string; rules?: Rule[] } } | null)
    .filter((object) => object !== null)
    .map(({ metadata, spec }) => ({
      namespace: metadata.namespace,
      action: spec?.action ?? 'ALLOW',
      rules: (spec?.rules ?? []).map((rule) => rule ?? {}),
    }));
}

export function exchange(call: Call): Exchange {
  const headers = new Map<string, string>();
  if (call.header !== undefined) for (const name of ['x-header', 'x-abc']) headers.set(name, call.header);
  if (call.remoteIp !== '') headers.set('x-forwarded-for', call.remoteIp);
  const request: RequestHead = {
    scheme: 'http',
    authority: call.host,
    method: call.method,
    path: call.path,
    header: (name) => headers.get(name),
    headerLines: (name) => (headers.has(name) ? [headers.get(name)!] : []),
    setHeader() {},
    appendHeader() {},
    removeHeader() {},
  };
  const peer = {
    ...NO_PEER,
    address: call.ip,
    localAddress: call.destinationIp,
    sni: call.sni,
    mtls: call.principal !== '',
    uriSans: call.principal === '' ? [] : [`spiffe://${call.principal}`],
  };
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request,
    snapshot: {} as Snapshot,
    manager,
    peer,
    port: call.port,
    startedAt: 0,
  });
  x.matchPath = call.path;
  x.metadata = new Map();
  if (call.claims !== undefined) {
    const { nested, ...payload } = call.claims;
    x.metadata.set('envoy.filters.http.jwt_authn', { payload: { ...payload, nested1: { nested2: nested } } });
  }
  if (call.extra !== undefined) x.metadata.set('envoy.filters.a.b', { c: call.extra });
  return x;
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Calls that lean towards one rule of a policy, so that about as many match as do not. */
export class Calls {
  private readonly random: () => number;
  private readonly policies: readonly Policy[];
  private readonly domains: readonly string[];

  constructor(policies: readonly Policy[], trust: TrustDomains, seed: number) {
    this.random = seeded(seed);
    this.policies = policies;
    this.domains = [trust.own, ...trust.aliases, 'cluster.local', 'other'].filter((name) => name !== '');
  }

  next(): Call {
    const rules = this.policies.flatMap((policy) => policy.rules);
    const rule = this.one(rules) ?? {};
    const source = this.one(rule.from ?? [])?.source ?? {};
    const operation = this.one(rule.to ?? [])?.operation ?? {};
    const when = (key: string): readonly string[] => rule.when?.find((condition) => condition.key === key)?.values ?? [];
    const text = (wanted: readonly string[] | undefined, noise: string): string => this.fill(this.leaning(wanted ?? [], noise));
    const address = (wanted: readonly string[] | undefined, noise: string): string =>
      this.leaning(wanted ?? [], noise).replace(/\/\d+$/, '');
    const [iss, sub] = this.subject([...(source.requestPrincipals ?? []), ...when('request.auth.principal')]);
    return {
      principal: this.principal(source, when('source.principal')),
      ip: address([...(source.ipBlocks ?? []), ...when('source.ip')], '8.8.8.8'),
      remoteIp: this.random() < 0.1 ? '' : address([...(source.remoteIpBlocks ?? []), ...when('remote.ip')], '7.7.7.7'),
      host: text(operation.hosts, 'nobody.example'),
      method: text(operation.methods, 'TRACE'),
      path: text(operation.paths, '/nowhere'),
      port: Number(this.leaning([...(operation.ports ?? []), ...when('destination.port')], '1')),
      destinationIp: address(when('destination.ip'), '6.6.6.6'),
      sni: this.random() < 0.1 ? '' : text(when('connection.sni'), 'sni'),
      header: this.random() < 0.1 ? undefined : text([...when('request.headers[X-header]'), ...when('request.headers[X-abc]')], 'noise'),
      claims:
        this.random() < 0.1
          ? undefined
          : {
              iss,
              sub,
              aud: [text(when('request.auth.audiences'), 'aud'), 'more'],
              azp: text(when('request.auth.presenter'), 'azp'),
              nested: text(when('request.auth.claims[nested1][nested2]'), 'deep'),
            },
      extra: this.random() < 0.1 ? undefined : text(when('experimental.envoy.filters.a.b[c]'), 'extra'),
    };
  }

  private principal(source: Readonly<Record<string, readonly string[] | undefined>>, when: readonly string[]): string {
    if (this.random() < 0.1) return '';
    const wanted = this.one([...(source.principals ?? []), ...when]);
    if (wanted !== undefined && this.random() < 0.6) {
      const [domain = '', ...rest] = wanted.split('/');
      if (rest.length === 0) return this.fill(wanted);
      return [this.random() < 0.5 ? this.fill(domain) : this.one(this.domains)!, ...rest].join('/');
    }
    const account = this.leaning(source.serviceAccounts ?? [], 'ns/sa').split('/');
    const [ns, sa] = account.length === 2 ? account : ['foo', account[0]];
    const domain = this.fill(this.leaning([...(source.trustDomains ?? []), ...(source.notTrustDomains ?? [])], this.one(this.domains)!));
    return `${domain}/ns/${this.random() < 0.5 ? this.fill(this.leaning(source.namespaces ?? [], ns!)) : ns}/sa/${sa}`;
  }

  private subject(wanted: readonly string[]): [iss: string, sub: string] {
    const text = this.leaning(wanted, 'iss/sub');
    const slash = text.lastIndexOf('/');
    if (slash !== -1) return [this.fill(text.slice(0, slash)), this.fill(text.slice(slash + 1))];
    return this.random() < 0.5 ? [this.fill(text), ''] : [this.fill(text), this.fill(text)];
  }

  private leaning(wanted: readonly string[], noise: string): string {
    return this.random() < 0.15 ? noise : (this.one(wanted) ?? noise);
  }

  private fill(pattern: string): string {
    return pattern.replace(/\{\*\*?\}|\*/g, () => this.one(['m', 'a/b', 'x', ''])!);
  }

  private one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.random() * list.length)];
  }
}

/** Input, output, trust domains of the mesh, and whether both verdicts come up. */
export type Case = readonly [input: string, output: string, trust: TrustDomains, both: boolean];

export const CASES: readonly Case[] = [
  ['allow-empty-rule', 'allow-empty-rule-out', NOWHERE, false],
  ['allow-full-rule', 'allow-full-rule-out', NOWHERE, true],
  ['allow-nil-rule', 'allow-nil-rule-out', NOWHERE, false],
  ['allow-path', 'allow-path-out', NOWHERE, false],
  ['audit-full-rule', 'audit-full-rule-out', NOWHERE, false],
  ['deny-and-allow', 'deny-and-allow-out1', NOWHERE, true],
  ['deny-and-allow', 'deny-and-allow-out2', NOWHERE, true],
  ['deny-empty-rule', 'deny-empty-rule-out', NOWHERE, false],
  ['multiple-policies', 'multiple-policies-out', NOWHERE, true],
  ['single-policy', 'single-policy-out', NOWHERE, false], // asks for principals without a namespace in a namespace
  ['trust-domains', 'trust-domains-out', NOWHERE, true],
  ['simple-policy-td-aliases', 'simple-policy-td-aliases-out', { own: 'td1', aliases: ['cluster.local'] }, true],
  [
    'simple-policy-multiple-td-aliases',
    'simple-policy-multiple-td-aliases-out',
    { own: 'td1', aliases: ['cluster.local', 'some-td'] },
    true,
  ],
  ['simple-policy-principal-with-wildcard', 'simple-policy-principal-with-wildcard-out', { own: 'td1', aliases: ['foobar'] }, true],
  ['td-aliases-source-principal', 'td-aliases-source-principal-out', { own: 'new-td', aliases: ['old-td', 'some-trustdomain'] }, true],
];

/** The policies of an input that its output was made of. */
export function policiesBehind([input, output]: Case): Policy[] {
  const action = output.endsWith('out1') ? 'DENY' : 'ALLOW';
  return policiesOf(`${input}-in.yaml`).filter((policy) => output.endsWith('-out') || policy.action === action);
}
