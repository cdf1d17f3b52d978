import { parseDocuments } from '@ripstop/istio-api';
import {
  ExtAuthz,
  HttpConnectionManager,
  type HttpFilter,
  HttpRbac,
  isAny,
  LISTENER_TYPE_URL,
  type Listener,
  NetworkExtAuthz,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { translate } from './translate.ts';

const SERVICES = ['web', 'authz', 'other']
  .map(
    (name) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }`,
  )
  .join('\n---\n');
const HOST = 'authz.default.svc.cluster.local';
const http = (name: string, more = ''): string => `{ name: ${name}, envoyExtAuthzHttp: { service: ${HOST}, port: 80${more} } }`;

function custom(name: string, provider: string, annotations = ''): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}${annotations === '' ? '' : `, annotations: { ${annotations} }`} }
spec: { action: CUSTOM, provider: { name: ${provider} }, rules: [{ to: [{ operation: { paths: ["/${name}"] } }] }] }`;
}

function listenerOf(providers: readonly string[], ...policies: readonly string[]): Listener {
  const { objects } = parseDocuments([SERVICES, ...policies].join('\n---\n'), { file: 'a.yaml' });
  const mesh = parseDocuments(`extensionProviders: [${providers.join(', ')}]`, { file: 'mesh.yaml' }).objects;
  const push = new PushContext({ objects: [...objects, ...mesh], workloads: [] });
  const node = proxyNodeOf({
    id: 'sidecar~10.0.0.1~web-1.default~default.svc.cluster.local',
    metadata: { LABELS: { app: 'web' }, NAMESPACE: 'default' },
  });
  return translate(LISTENER_TYPE_URL, node, push, []).find(({ name }) => name === 'virtualInbound')!.message as Listener;
}

function filtersOf(providers: readonly string[], ...policies: readonly string[]): readonly HttpFilter[] {
  for (const { filters } of listenerOf(providers, ...policies).filterChains) {
    const config = filters.at(-1)?.configType;
    if (config?.$case === 'typedConfig' && isAny(HttpConnectionManager, config.value))
      return unpackAny(HttpConnectionManager, config.value).httpFilters;
  }
  throw new Error('no HTTP chain');
}

/** What each filter in front of grpc_stats does, in short. */
function verdicts(filters: readonly HttpFilter[]): string[] {
  return filters
    .slice(
      0,
      filters.findIndex(({ name }) => name.endsWith('grpc_stats')),
    )
    .map(({ name, configType }) => {
      if (configType?.$case !== 'typedConfig' || !isAny(HttpRbac, configType.value)) return name;
      const { rules, shadowRules } = unpackAny(HttpRbac, configType.value);
      return [
        ...(rules === undefined ? [] : [`deny ${Object.keys(rules.policies)}`]),
        ...(shadowRules === undefined ? [] : [`shadow ${Object.keys(shadowRules.policies)}`]),
      ].join('; ');
    });
}

function asked(filters: readonly HttpFilter[]): ExtAuthz {
  const config = filters.find(({ name }) => name === 'envoy.filters.http.ext_authz')?.configType;
  if (config?.$case !== 'typedConfig') throw new Error('nobody is asked');
  return unpackAny(ExtAuthz, config.value);
}

describe('a CUSTOM policy', () => {
  it('notes what it selects, and has its provider asked about that alone', () => {
    const filters = filtersOf([http('ext')], custom('a', 'ext'));
    expect(verdicts(filters)).toEqual(['shadow istio-ext-authz-ext-ns[default]-policy[a]-rule[0]', 'envoy.filters.http.ext_authz']);
    const { filterEnabledMetadata, services } = asked(filters);
    expect(filterEnabledMetadata?.path[0]?.segment?.value).toBe('istio_ext_authz_shadow_effective_policy_id');
    expect(services?.$case === 'httpService' && services.value.serverUri?.httpUpstreamType?.value).toBe(`outbound|80||${HOST}`);
    expect(services?.$case === 'httpService' && services.value.serverUri?.timeout?.seconds).toBe(600);
  });

  it.each([
    ['that is not defined', []],
    ['whose service nobody has', ['{ name: ext, envoyExtAuthzHttp: { service: nobody.example, port: 80 } }']],
    ['without a service', ['{ name: ext, envoyExtAuthzHttp: { port: 80 } }']],
    ['with a status that is none', [http('ext', ', statusOnError: "499x"')]],
    ['with a path prefix that is no path', [http('ext', ', pathPrefix: check')]],
    ['that takes every header', [http('ext', ', includeRequestHeadersInCheck: ["*"]')]],
    ['that is defined twice', [http('ext'), http('ext')]],
  ])('denies what it selects when it names a provider %s', (_what, providers) => {
    expect(verdicts(filtersOf(providers, custom('a', 'ext')))).toEqual([
      'deny istio-ext-authz-ext-ns[default]-policy[a]-rule[0]-deny-due-to-bad-CUSTOM-action',
    ]);
  });

  it('denies when another one names another provider: one workload has one authorizer', () => {
    expect(verdicts(filtersOf([http('one'), http('two')], custom('a', 'two'), custom('b', 'one')))).toEqual([
      'deny istio-ext-authz-one-ns[default]-policy[b]-rule[0]-deny-due-to-bad-CUSTOM-action',
      'deny istio-ext-authz-two-ns[default]-policy[a]-rule[0]-deny-due-to-bad-CUSTOM-action',
    ]);
  });

  it('is sent as istiod sends it when it is a dry run: as a rule that denies', () => {
    expect(verdicts(filtersOf([http('ext')], custom('a', 'ext', 'istio.io/dry-run: "true"')))).toEqual([
      'deny istio-ext-authz-ext-ns[default]-policy[a]-rule[0]; shadow ',
      'envoy.filters.http.ext_authz',
    ]);
  });

  it('has the service found by namespace and host, and in no other namespace', () => {
    const named = (namespace: string): string[] =>
      verdicts(filtersOf([`{ name: ext, envoyExtAuthzGrpc: { service: ${namespace}/${HOST}, port: 80 } }`], custom('a', 'ext')));
    expect(named('default')[1]).toBe('envoy.filters.http.ext_authz');
    expect(named('elsewhere')[0]).toContain('deny-due-to-bad-CUSTOM-action');
  });

  it('reads header names as exact, prefix or suffix, without regard to case', () => {
    const { allowedHeaders } = asked(filtersOf([http('ext', ', includeHeadersInCheck: [a, "x-*", "*-id"]')], custom('a', 'ext')));
    expect(allowedHeaders?.patterns.map(({ matchPattern, ignoreCase }) => [matchPattern?.$case, matchPattern?.value, ignoreCase])).toEqual([
      ['exact', 'a', true],
      ['prefix', 'x-', true],
      ['suffix', '-id', true],
    ]);
  });

  it.each([
    ['gRPC', `{ name: ext, envoyExtAuthzGrpc: { service: ${HOST}, port: 80 } }`, true],
    ['HTTP', http('ext'), false],
  ])('of an authorizer that speaks %s judges TCP connections: %s', (_protocol, provider, judged) => {
    const chains = listenerOf([provider], custom('a', 'ext')).filterChains;
    const tcp = chains.find(
      ({ filters }) =>
        filters.at(-1)?.name === 'envoy.filters.network.tcp_proxy' &&
        filters.length > 0 &&
        filters[0]?.name !== 'envoy.filters.network.tcp_proxy',
    );
    expect(tcp !== undefined).toBe(judged);
    if (tcp === undefined) return;
    const config = tcp.filters[1]!.configType;
    expect(config?.$case === 'typedConfig' && unpackAny(NetworkExtAuthz, config.value).statPrefix).toBe('tcp.');
  });
});
