import { parseDocuments } from '@ripstop/istio-api';
import { type Any, ExtAuthz, HttpRbac, NetworkExtAuthz, NetworkRbac } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../../push/push-context.ts';
import type { Authorizer, BrokenAuthorizer } from '../ext-authz.ts';
import { httpCustomFilters, networkCustomFilters } from './custom-filters.ts';
import { httpRbacFilters, httpRefusals, networkRbacFilters } from './rbac-filters.ts';
import { printedFilter } from './testing/printed.ts';

const policy = (name: string, spec: string, annotations = '{}'): string =>
  `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: default, annotations: ${annotations} }\nspec: ${spec}\n`;
const DRY_RUN = '{ istio.io/dry-run: "true" }';
const ANY = 'and(any) => and(any)';
const NEVER = 'not any => not any';

function policiesOf(yaml: string): ReturnType<PushContext['policiesFor']> {
  return new PushContext({ objects: parseDocuments(yaml, { file: 'test.yaml' }).objects, workloads: [] }).policiesFor('default', {});
}

const http = (yaml: string): (readonly string[])[] => httpRbacFilters(policiesOf(yaml), []).map(printedFilter);
const tcp = (yaml: string): (readonly string[])[] => networkRbacFilters(policiesOf(yaml), []).map(printedFilter);
const rule = (name: string, index = 0): string => `ns[default]-policy[${name}]-rule[${index}]`;

describe('RBAC filters of a sidecar', () => {
  it('are none without policies', () => {
    expect(http('')).toEqual([]);
    expect(tcp('')).toEqual([]);
  });

  it('audit, deny, then allow; a policy for each rule', () => {
    const yaml =
      policy('allow', '{ rules: [{}, { to: [{ operation: { ports: ["1"] } }] }] }') +
      policy('deny', '{ action: DENY, rules: [{}] }') +
      policy('audit', '{ action: AUDIT, rules: [{}] }');
    const expected = [
      ['LOG', `${rule('audit')}: ${ANY}`],
      ['DENY', `${rule('deny')}: ${ANY}`],
      ['ALLOW', `${rule('allow')}: ${ANY}`, `${rule('allow', 1)}: and(or(port 1)) => and(any)`],
    ];
    expect(http(yaml)).toEqual(expected);
    expect(tcp(yaml)).toEqual(expected);
  });

  it('match nothing for a policy without rules: as ALLOW it admits nobody, as DENY it refuses nobody', () => {
    expect(http(policy('allow', '{}') + policy('deny', '{ action: DENY }'))).toEqual([
      ['DENY', `${rule('deny')}: ${NEVER}`],
      ['ALLOW', `${rule('allow')}: ${NEVER}`],
    ]);
  });

  it('have dry runs as shadows, under the names of their metrics', () => {
    const both = policy('a', '{ rules: [{}] }') + policy('b', '{ rules: [{}] }', DRY_RUN);
    expect(http(both)).toEqual([['ALLOW', `${rule('a')}: ${ANY}`, 'shadow istio_dry_run_allow_ ALLOW', `${rule('b')}: ${ANY}`]]);
    expect(http(policy('d', '{ action: DENY, rules: [{}] }', DRY_RUN))).toEqual([
      ['shadow istio_dry_run_deny_ DENY', `${rule('d')}: ${ANY}`],
    ]);
    expect(httpRbacFilters(policiesOf(policy('d', '{ action: DENY, rules: [{}] }')), [])[0]!.shadowRulesStatPrefix).toBe(
      'istio_dry_run_allow_',
    );
  });

  it('over TCP drop an ALLOW rule that a connection cannot be judged by, and keep its DENY without that', () => {
    const spec = 'rules: [{ to: [{ operation: { methods: [GET], ports: ["1"] } }] }]';
    expect(tcp(policy('allow', `{ ${spec} }`) + policy('deny', `{ action: DENY, ${spec} }`))).toEqual([
      ['DENY', `${rule('deny')}: and(or(port 1)) => and(any)`],
      ['ALLOW'],
    ]);
    expect(networkRbacFilters(policiesOf(policy('a', '{}')), [])[0]!.statPrefix).toBe('tcp.');
  });

  it('refuse everybody in front of all others where a plugin that authenticates or authorizes is not enforced', () => {
    const plugin =
      '---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: { name: w, namespace: default }\nspec: { url: "oci://x/y", phase: AUTHZ }\n';
    const refusal = ['DENY', `not-enforced-wasm-plugin-ns[default]-name[w]: ${ANY}`];
    expect(httpRefusals(policiesOf(plugin)).map(printedFilter)).toEqual([refusal]);
    expect(tcp(plugin + policy('a', '{ rules: [{}] }'))).toEqual([refusal, ['ALLOW', `${rule('a')}: ${ANY}`]]);
    expect(httpRefusals(policiesOf(policy('a', '{}')))).toEqual([]);
  });
});

const asks: Authorizer = {
  http: { services: { $case: 'grpcService', value: {} }, failureModeAllow: true },
  tcp: { statPrefix: 'tcp.', failureModeAllow: true },
};
const custom = (name: string, provider: string, annotations?: string): string =>
  policy(name, `{ action: CUSTOM, provider: { name: ${provider} }, rules: [{}] }`, annotations);
const customRule = (provider: string, name: string): string => `istio-ext-authz-${provider}-${rule(name)}`;

function unpacked({ configType }: ReturnType<typeof httpCustomFilters>[number]): readonly string[] {
  const { typeUrl, value } = (configType as { readonly value: Any }).value;
  const found = [HttpRbac, NetworkRbac, ExtAuthz, NetworkExtAuthz].find(({ $type }) => typeUrl.endsWith($type))!;
  if (found === HttpRbac || found === NetworkRbac) return printedFilter(found.decode(value));
  const { filterEnabledMetadata, failureModeAllow } = (found as typeof ExtAuthz).decode(value);
  const { filter, path, value: wanted } = filterEnabledMetadata!;
  const segments = path.map(({ segment }) => segment?.value);
  return [`asks when ${filter} ${segments} is ${JSON.stringify(wanted?.matchPattern)}, open ${failureModeAllow}`];
}

function customOf(
  yaml: string,
  authorizers: Record<string, Authorizer | BrokenAuthorizer>,
  make: typeof httpCustomFilters | typeof networkCustomFilters = httpCustomFilters,
): (readonly [string, ...string[]])[] {
  const scope = { policies: policiesOf(yaml).custom, authorizers: new Map(Object.entries(authorizers)), trustDomains: [] };
  return make(scope).map((filter) => [filter.name!, ...unpacked(filter)]);
}

const whenMatched = (filter: string, provider: string): string =>
  `asks when ${filter} istio_ext_authz_shadow_effective_policy_id is {"$case":"stringMatch","value":{"matchPattern":{"$case":"prefix","value":"istio-ext-authz-${provider}"},"ignoreCase":false}}, open true`;

describe('filters of CUSTOM policies', () => {
  it.each([
    ['HTTP', httpCustomFilters, 'http'],
    ['TCP', networkCustomFilters, 'network'],
  ] as const)('note over %s what matches, and ask when something did', (_protocol, make, kind) => {
    const rbac = `envoy.filters.${kind}.rbac`;
    expect(customOf(custom('c', 'p'), { p: asks }, make)).toEqual([
      [rbac, 'shadow istio_ext_authz_ DENY', `${customRule('p', 'c')}: ${ANY}`],
      [`envoy.filters.${kind}.ext_authz`, whenMatched(rbac, 'p')],
    ]);
  });

  it.each([
    ['the provider is unknown', custom('c', 'p'), {}, ['p c']],
    ['the provider is broken', custom('c', 'p'), { p: { error: 'no host' } }, ['p c']],
    ['two providers are to be asked', custom('c', 'p') + custom('d', 'q'), { p: asks, q: asks }, ['p c', 'q d']],
  ])('deny what they select when %s', (_what, yaml, authorizers, expected) => {
    for (const [make, kind] of [
      [httpCustomFilters, 'http'],
      [networkCustomFilters, 'network'],
    ] as const)
      expect(customOf(yaml, authorizers as Record<string, Authorizer>, make)).toEqual(
        expected.map((text) => {
          const [provider, name] = text.split(' ') as [string, string];
          return [`envoy.filters.${kind}.rbac`, 'DENY', `${customRule(provider, name)}-deny-due-to-bad-CUSTOM-action: ${ANY}`];
        }),
      );
  });

  it('judge over TCP by what a connection has', () => {
    const yaml = policy(
      'c',
      '{ action: CUSTOM, provider: { name: p }, rules: [{ to: [{ operation: { methods: [GET], ports: ["1"] } }] }] }',
    );
    const [http] = customOf(yaml, { p: asks });
    const [tcp] = customOf(yaml, { p: asks }, networkCustomFilters);
    expect(http!.at(-1)).toContain(': and(or(:method exact GET), or(port 1)) =>');
    expect(tcp!.at(-1)).toContain(': and(or(port 1)) =>');
  });

  it('stand by the names of their providers', () => {
    const names = customOf(custom('c', 'q') + custom('d', 'p'), {}).map((lines) => lines[2]);
    expect(names.map((name) => /ext-authz-(.)/.exec(name!)?.[1])).toEqual(['p', 'q']);
  });

  it('without rules need no provider and deny nothing', () => {
    expect(customOf(policy('c', '{ action: CUSTOM }'), {})).toEqual([
      ['envoy.filters.http.rbac', 'DENY', `istio-ext-authz-${rule('c')}-deny-due-to-bad-CUSTOM-action: ${NEVER}`],
    ]);
  });

  it('over TCP have the statistics of connections', () => {
    for (const authorizers of [{ p: asks }, {}]) {
      const [rbac] = networkCustomFilters({
        policies: policiesOf(custom('c', 'p')).custom,
        authorizers: new Map(Object.entries(authorizers)),
        trustDomains: [],
      });
      expect(NetworkRbac.decode((rbac!.configType as { readonly value: Any }).value.value).statPrefix).toBe('tcp.');
    }
  });

  it('count nothing where no dry run is', () => {
    const [rbac] = httpCustomFilters({
      policies: policiesOf(custom('c', 'p')).custom,
      authorizers: new Map([['p', asks]]),
      trustDomains: [],
    });
    const { configType } = rbac!;
    expect(HttpRbac.decode((configType as { readonly value: Any }).value.value).rules).toBeUndefined();
  });

  it('leave connections alone whose authorizer is shown requests only', () => {
    expect(customOf(custom('c', 'p'), { p: { ...asks, tcp: undefined } }, networkCustomFilters)).toEqual([]);
  });

  it.each([
    ['HTTP', httpCustomFilters],
    ['TCP', networkCustomFilters],
  ] as const)('count over %s what a dry run would have asked', (_protocol, make) => {
    const [rbac] = customOf(custom('c', 'p') + custom('d', 'p', DRY_RUN), { p: asks }, make);
    expect(rbac!.slice(1)).toEqual([
      'DENY',
      `${customRule('p', 'd')}: ${ANY}`,
      'shadow istio_ext_authz_ DENY',
      `${customRule('p', 'c')}: ${ANY}`,
    ]);
  });
});
