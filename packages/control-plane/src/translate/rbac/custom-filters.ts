import {
  ExtAuthz,
  type HttpFilter,
  HttpRbac,
  type ListenerFilter,
  type MetadataMatcher,
  NetworkExtAuthz,
  NetworkRbac,
  packAny,
  RBAC_Action,
} from '@ripstop/xds-api';
import { isDryRun, type PolicyObject } from '../../push/authorization.ts';
import type { Authorizer, BrokenAuthorizer } from '../ext-authz.ts';
import type { FieldsOf } from '../values.ts';
import { policiesOf, type RulesFields } from './rbac-filters.ts';

type HttpFilterFields = FieldsOf<typeof HttpFilter>;
type NetworkFilterFields = FieldsOf<typeof ListenerFilter>;

const HTTP_RBAC = 'envoy.filters.http.rbac';
const NETWORK_RBAC = 'envoy.filters.network.rbac';
const SHADOW_PREFIX = 'istio_ext_authz_';
const BAD_SUFFIX = '-deny-due-to-bad-CUSTOM-action';

export interface CustomScope {
  readonly policies: readonly PolicyObject[];
  readonly authorizers: ReadonlyMap<string, Authorizer | BrokenAuthorizer>;
  readonly trustDomains: readonly string[];
}

/** The CUSTOM policies of one provider; without an authorizer they deny what they select. */
interface ProviderRules {
  readonly provider: string;
  readonly rules: RulesFields;
  readonly dryRun: RulesFields;
  readonly authorizer: Authorizer | undefined;
}

/**
 * CUSTOM policies of a server: for each provider a shadow rbac, which only notes what matches, and ext_authz, which asks when something
 * did (istiod: builder.go). Two providers at one workload deny, as istiod's default has it.
 */
export function httpCustomFilters(scope: CustomScope): HttpFilterFields[] {
  return byProvider(scope, false).flatMap(({ provider, rules, dryRun, authorizer }): HttpFilterFields[] => {
    if (authorizer === undefined) return [filter(HTTP_RBAC, packAny(HttpRbac, HttpRbac.fromPartial({ rules: denying(rules) })))];
    const shadow = HttpRbac.fromPartial({ ...optionalRules(dryRun), shadowRules: rules, shadowRulesStatPrefix: SHADOW_PREFIX });
    const ask = ExtAuthz.fromPartial({ ...authorizer.http, filterEnabledMetadata: whenMatched(HTTP_RBAC, provider) });
    return [filter(HTTP_RBAC, packAny(HttpRbac, shadow)), filter('envoy.filters.http.ext_authz', packAny(ExtAuthz, ask))];
  });
}

/** As {@link httpCustomFilters}, for TCP connections, which are shown to gRPC authorizers only. */
export function networkCustomFilters(scope: CustomScope): NetworkFilterFields[] {
  return byProvider(scope, true).flatMap(({ provider, rules, dryRun, authorizer }): NetworkFilterFields[] => {
    const statPrefix = 'tcp.';
    if (authorizer === undefined) {
      const deny = NetworkRbac.fromPartial({ rules: denying(rules), statPrefix });
      return [filter(NETWORK_RBAC, packAny(NetworkRbac, deny))];
    }
    if (authorizer.tcp === undefined) return [];
    const shadow = NetworkRbac.fromPartial({
      ...optionalRules(dryRun),
      shadowRules: rules,
      statPrefix,
      shadowRulesStatPrefix: SHADOW_PREFIX,
    });
    const ask = NetworkExtAuthz.fromPartial({ ...authorizer.tcp, filterEnabledMetadata: whenMatched(NETWORK_RBAC, provider) });
    return [filter(NETWORK_RBAC, packAny(NetworkRbac, shadow)), filter('envoy.filters.network.ext_authz', packAny(NetworkExtAuthz, ask))];
  });
}

function byProvider({ policies, authorizers, trustDomains }: CustomScope, tcp: boolean): ProviderRules[] {
  const groups = Map.groupBy(policies, ({ spec }) => spec.provider?.name ?? '');
  return [...groups.keys()].sort().map((provider) => {
    const prefix = provider === '' ? 'istio-ext-authz-' : `istio-ext-authz-${provider}-`;
    const rulesOf = (objects: readonly PolicyObject[]): RulesFields => ({
      action: RBAC_Action.DENY,
      policies: policiesOf(objects, RBAC_Action.DENY, { trustDomains, tcp }, prefix),
    });
    const group = groups.get(provider)!;
    const authorizer = groups.size > 1 ? undefined : authorizers.get(provider);
    return {
      provider,
      rules: rulesOf(group.filter((policy) => !isDryRun(policy))),
      dryRun: rulesOf(group.filter(isDryRun)),
      authorizer: authorizer === undefined || 'error' in authorizer ? undefined : authorizer,
    };
  });
}

function denying({ policies = {} }: RulesFields): RulesFields {
  return {
    action: RBAC_Action.DENY,
    policies: Object.fromEntries(Object.entries(policies).map(([name, policy]) => [name + BAD_SUFFIX, policy])),
  };
}

function optionalRules(rules: RulesFields): { readonly rules?: RulesFields } {
  return Object.keys(rules.policies ?? {}).length === 0 ? {} : { rules };
}

function whenMatched(filterName: string, provider: string): FieldsOf<typeof MetadataMatcher> {
  return {
    filter: filterName,
    path: [{ segment: { $case: 'key', value: `${SHADOW_PREFIX}shadow_effective_policy_id` } }],
    value: {
      matchPattern: { $case: 'stringMatch', value: { matchPattern: { $case: 'prefix', value: `istio-ext-authz-${provider}` } } },
    },
  };
}

function filter(
  name: string,
  value: ReturnType<typeof packAny>,
): { name: string; configType: { $case: 'typedConfig'; value: typeof value } } {
  return { name, configType: { $case: 'typedConfig', value } };
}
