import { parseDocuments } from '@ripstop/istio-api';
import { RbacRules } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../../push/push-context.ts';
import { grpcRbac } from './rbac.ts';

const policy = (name: string, spec: string, annotations = '{}'): string =>
  `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: default, annotations: ${annotations} }\nspec: ${spec}\n`;
const DRY_RUN = '{ istio.io/dry-run: "true" }';

interface Filters {
  /** `<filter>: <policy names>`. */
  readonly filters: readonly string[];
  /** JSON of all rules. */
  readonly text: string;
  readonly notes: readonly string[];
}

function filtersOf(yaml: string, { trustDomains = ['cluster.local'], addresses = true } = {}): Filters {
  const push = new PushContext({ objects: parseDocuments(yaml, { file: 'test.yaml' }).objects, workloads: [] });
  const notes: string[] = [];
  const found = grpcRbac(push.policiesFor('default', {}), { trustDomains, addresses, note: (text) => notes.push(text) });
  return {
    filters: found.map(({ name, rules }) => `${name.replace('envoy.filters.http.', '')}: ${Object.keys(rules.policies ?? {}).join(' ')}`),
    text: JSON.stringify(found.map(({ rules }) => RbacRules.toJSON(RbacRules.fromPartial(rules)))),
    notes,
  };
}

describe('RBAC of a gRPC server', () => {
  it.each([
    ['nothing without policies', '', []],
    [
      'DENY before ALLOW, by istiod’s names',
      policy('a', '{ rules: [{}, {}] }') + policy('d', '{ action: DENY, rules: [{}] }'),
      ['rbac.DENY: default-d-0', 'rbac: default-a-0 default-a-1'],
    ],
    ['an ALLOW without rules, which lets nobody in', policy('nothing', '{}'), ['rbac: default-nothing-0']],
    ['nothing for a DENY without rules', policy('d', '{ action: DENY }'), []],
    ['nothing for a dry run', policy('d', '{ action: DENY, rules: [{}] }', DRY_RUN) + policy('a', '{ rules: [{}] }', DRY_RUN), []],
    ['nothing for AUDIT', policy('a', '{ action: AUDIT, rules: [{}] }'), []],
    [
      'a denial of what CUSTOM would ask for',
      policy('c', '{ action: CUSTOM, provider: { name: x }, rules: [{}] }'),
      ['rbac.DENY: not-enforced-custom-default-c-0'],
    ],
  ])('is %s', (_, yaml, filters) => {
    expect(filtersOf(yaml).filters).toEqual(filters);
  });

  it('matches nobody with an ALLOW without rules', () => {
    expect(filtersOf(policy('nothing', '{}')).text).toContain(
      '{"permissions":[{"notRule":{"any":true}}],"principals":[{"notId":{"any":true}}]}',
    );
  });

  it('knows the aliases of the trust domain', () => {
    const { text } = filtersOf(policy('a', '{ rules: [{ from: [{ source: { principals: [td1/ns/a/sa/b] } }] }] }'), {
      trustDomains: ['td1', 'old-td'],
    });
    expect(text).toContain('spiffe://td1/ns/a/sa/b');
    expect(text).toContain('spiffe://old-td/ns/a/sa/b');
  });

  it.each([
    ['{ jwtRules: [{ issuer: a, jwks: "{}" }] }', 'authorization'],
    ['{ jwtRules: [{ issuer: a, fromHeaders: [{ name: X-Token }], jwks: "{}" }] }', 'x-token'],
    ['{ jwtRules: [{ issuer: a, fromCookies: [t], jwks: "{}" }] }', 'cookie'],
  ])('refuses calls with a token that it cannot validate: %s', (spec, header) => {
    const yaml = `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: jwt, namespace: default }\nspec: ${spec}\n`;
    const { filters, text } = filtersOf(yaml);
    expect(filters).toEqual(['rbac.DENY: not-enforced-jwt-default-jwt']);
    expect(text).toContain(`{"header":{"name":"${header}"`);
    expect(text).toContain('"presentMatch":true');
  });

  it('refuses every call where a plugin would authorize', () => {
    const yaml =
      'apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: { name: w, namespace: default }\nspec: { phase: AUTHN }\n';
    expect(filtersOf(yaml).filters).toEqual(['rbac.DENY: not-enforced-WasmPlugin-default-w']);
  });

  it.each([
    ['DENY', 'values', '{"any":true}'],
    ['DENY', 'notValues', '{"notRule":{"orRules":{"rules":[{"notRule":{"any":true}}]}}}'],
    ['ALLOW', 'values', '{"notRule":{"any":true}}'],
    ['ALLOW', 'notValues', '{"notRule":{"orRules":{"rules":[{"any":true}]}}}'],
  ])('never lets in more for a condition that gRPC cannot judge: %s, %s', (action, field, condition) => {
    const { text, notes } = filtersOf(policy('p', `{ action: ${action}, rules: [{ when: [{ key: connection.sni, ${field}: [a] }] }] }`));
    expect(text).toContain(condition);
    expect(text).not.toContain('requestedServerName');
    expect(notes.join()).toContain('connection.sni');
  });

  it('writes path templates as regular expressions, which every library reads', () => {
    const { text } = filtersOf(policy('p', '{ action: DENY, rules: [{ to: [{ operation: { paths: ["/a.b/{*}/c/{**}"] } }] }] }'));
    expect(text).toContain('"regex":"/a\\\\.b/[^/]+/c/.*"');
    expect(text).not.toContain('uriTemplate');
  });

  it('drops nothing of a header about gRPC itself, which gRPC-Go would refuse: the rule denies without it', () => {
    const { text } = filtersOf(policy('p', '{ action: DENY, rules: [{ when: [{ key: "request.headers[grpc-timeout]", values: [a] }] }] }'));
    expect(text).not.toContain('grpc-timeout');
    expect(text).toContain('{"any":true}');
  });

  it('clears the host bits of a range, which grpc-js-xds would not', () => {
    const { text } = filtersOf(policy('p', '{ action: DENY, rules: [{ from: [{ source: { ipBlocks: ["10.1.2.3/16"] } }] }] }'));
    expect(text).toContain('{"addressPrefix":"10.1.0.0","prefixLen":16}');
  });

  it('denies more, not less, where the server does not know the addresses of its callers', () => {
    const ranges = '{ action: DENY, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }] }';
    const { text, notes } = filtersOf(policy('p', ranges), { addresses: false });
    expect(text).not.toContain('addressPrefix');
    expect(text).toContain('{"orIds":{"ids":[{"any":true}]}}');
    expect(notes.join()).toContain('listen on 0.0.0.0');
  });

  it('keeps both of two policies whose names istiod would make one', () => {
    const root = policy('b-c', '{ action: DENY, rules: [{}] }').replace('namespace: default', 'namespace: istio-system');
    const yaml = root + policy('c', '{ action: DENY, rules: [{}] }').replace('namespace: default', 'namespace: istio-system-b');
    const push = new PushContext({ objects: parseDocuments(yaml, { file: 'test.yaml' }).objects, workloads: [] });
    const [filter] = grpcRbac(push.policiesFor('istio-system-b', {}), { trustDomains: [], addresses: true, note: () => {} });
    expect(Object.keys(filter!.rules.policies ?? {})).toEqual(['istio-system-b-c-0', 'istio-system-b-c-0+']);
  });
});
