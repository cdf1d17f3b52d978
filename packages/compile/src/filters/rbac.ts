import {
  ANY_RULE,
  andRules,
  authenticatedRule,
  createRbac,
  type Exchange,
  type FilterFactory,
  notRule,
  orRules,
  type RbacConfig,
  type RbacRule,
  type RbacRuleSet,
} from '@ripstop/core';
import {
  HttpRbac,
  HttpRbacPerRoute,
  NetworkRbac,
  type Permission,
  type Principal,
  RBAC_Action,
  typeUrlOf,
  UriTemplateMatchConfig,
  unpackAny,
} from '@ripstop/xds-api';
import { compileCidr } from '../cidr.ts';
import { compileHeaderMatcher, compileStringMatcher, compileUriTemplate, type StringMatcherLike } from '../matchers.ts';
import { compileMetadataMatcher } from '../metadata-matcher.ts';
import { remoteAddress } from '../remote-address.ts';
import {
  addressTest,
  boundPathRule,
  compileBoundPattern,
  either,
  escapedPattern,
  identityTest,
  opposite,
  type Place,
  readingOf,
} from './rbac-readings.ts';

/** `envoy`: values are read as Envoy reads them; `strict`: see docs/reference/differences.md, Stricter. */
export type HeaderMatch = 'strict' | 'envoy';

/** `router`: policies are bound to the routes that the app's router would match; `istio`: paths are normalised text. */
export type PathBindingMode = 'router' | 'istio';

export interface RbacSettings {
  /** How policies read repeated headers, hosts, addresses and names of identities. Default: strict. */
  readonly headerMatch?: HeaderMatch;
  /** Default: router. */
  readonly pathBinding?: PathBindingMode;
}

export function rbacFilter({ headerMatch = 'strict', pathBinding = 'router' }: RbacSettings = {}): FilterFactory<RbacConfig> {
  const strict: Strictness = { strict: headerMatch === 'strict', bound: pathBinding === 'router' };
  return {
    typeUrl: typeUrlOf(HttpRbac.$type),
    overrideTypeUrl: typeUrlOf(HttpRbacPerRoute.$type),
    directions: ['inbound', 'outbound'],
    decode: (body) => decodeRbac(HttpRbac.decode(body), strict),
    decodeOverride: (body) => {
      const { rbac: message } = HttpRbacPerRoute.decode(body);
      // A per-route override without rbac switches the filter off there.
      return message === undefined ? { rules: undefined, shadowRules: undefined, shadowPrefix: '' } : decodeRbac(message, strict);
    },
    create: (config, override, env) => createRbac(override ?? config, env),
  };
}

/** The same rules for connections whose bytes nobody reads (Envoy's network filter). */
export function networkRbacFilter({ headerMatch = 'strict' }: RbacSettings = {}): FilterFactory<RbacConfig> {
  // No path is looked at, so there is nothing to bind.
  const strict: Strictness = { strict: headerMatch === 'strict', bound: false };
  return {
    typeUrl: typeUrlOf(NetworkRbac.$type),
    directions: ['inbound', 'outbound'],
    decode: (body) => {
      const message = NetworkRbac.decode(body);
      return { ...decodeRbac(message, strict), statPrefix: message.statPrefix };
    },
    create: (config, _override, env) => createRbac(config, env, 'envoy.filters.network.rbac'),
  };
}

type Strictness = Pick<Place, 'strict' | 'bound'>;
type RuleSetMessage = NonNullable<ReturnType<typeof HttpRbac.decode>['rules']>;

function decodeRbac(message: ReturnType<typeof HttpRbac.decode> | ReturnType<typeof NetworkRbac.decode>, strict: Strictness): RbacConfig {
  if (message.matcher !== undefined || message.shadowMatcher !== undefined) throw new Error('RBAC matcher trees are not supported');
  return {
    rules: message.rules === undefined ? undefined : decodeRuleSet(message.rules, strict),
    shadowRules: message.shadowRules === undefined ? undefined : decodeRuleSet(message.shadowRules, strict),
    shadowPrefix: message.shadowRulesStatPrefix,
  };
}

function decodeRuleSet(message: RuleSetMessage, strict: Strictness): RbacRuleSet {
  const action = message.action === RBAC_Action.DENY ? 'DENY' : message.action === RBAC_Action.LOG ? 'LOG' : 'ALLOW';
  const enforced = action !== 'LOG';
  const at: Place = { match: action === 'DENY' ? 'denies' : 'admits', strict: strict.strict && enforced, bound: strict.bound && enforced };
  const policies = Object.entries(message.policies)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, policy]) => {
      if (policy.condition !== undefined || policy.checkedCondition !== undefined)
        throw new Error(`policy ${name}: CEL conditions are not supported`);
      return {
        name,
        permission: orRules(policy.permissions.map((permission) => permissionRule(permission, at))),
        principal: orRules(policy.principals.map((principal) => principalRule(principal, at))),
      };
    });
  return { action, policies };
}

const onRequest = (test: (x: Exchange) => boolean): RbacRule => ({ peerOnly: false, test });
const onPeer = (test: (x: Exchange) => boolean): RbacRule => ({ peerOnly: true, test });

function permissionRule(permission: Permission, at: Place): RbacRule {
  const { rule } = permission;
  if (rule === undefined) throw new Error('a permission without a rule');
  switch (rule.$case) {
    case 'any':
      return rule.value ? ANY_RULE : notRule(ANY_RULE);
    case 'andRules':
      return andRules(rule.value.rules.map((one) => permissionRule(one, at)));
    case 'orRules':
      return orRules(rule.value.rules.map((one) => permissionRule(one, at)));
    case 'notRule':
      return notRule(permissionRule(rule.value, opposite(at)));
    case 'header': {
      const test = compileHeaderMatcher(rule.value, readingOf(at));
      return onRequest((x) => test(x.request));
    }
    case 'urlPath':
      return pathRule(rule.value.rule, at);
    case 'uriTemplate': {
      if (rule.value.typedConfig === undefined) throw new Error('a path template without configuration');
      const { pathTemplate } = unpackAny(UriTemplateMatchConfig, rule.value.typedConfig);
      return boundPathRule(compileUriTemplate(pathTemplate), (binding) => compileUriTemplate(pathTemplate, binding.ignoresCase), at);
    }
    case 'destinationPort':
      return onPeer((x) => x.port === rule.value);
    case 'destinationPortRange':
      return onPeer((x) => x.port >= rule.value.start && x.port < rule.value.end);
    case 'destinationIp': {
      const test = compileCidr(rule.value.addressPrefix, rule.value.prefixLen ?? 0);
      return onPeer((x) => test(x.peer.localAddress));
    }
    case 'requestedServerName': {
      const test = compileStringMatcher(rule.value);
      return onPeer((x) => test(x.peer.sni));
    }
    case 'metadata':
      return onRequest(compileMetadataMatcher(rule.value));
    case 'matcher':
      throw new Error(`permission matcher ${rule.value.name} is not supported`);
  }
}

function principalRule(principal: Principal, at: Place): RbacRule {
  const { identifier } = principal;
  if (identifier === undefined) throw new Error('a principal without an identifier');
  switch (identifier.$case) {
    case 'any':
      return identifier.value ? ANY_RULE : notRule(ANY_RULE);
    case 'andIds':
      return andRules(identifier.value.ids.map((one) => principalRule(one, at)));
    case 'orIds':
      return orRules(identifier.value.ids.map((one) => principalRule(one, at)));
    case 'notId':
      return notRule(principalRule(identifier.value, opposite(at)));
    case 'authenticated': {
      const name = identifier.value.principalName;
      return authenticatedRule(name === undefined ? undefined : identityTest(name, at));
    }
    case 'sourceIp':
    case 'directRemoteIp': {
      const test = addressTest(identifier.value, at);
      return onPeer(identifier.$case === 'directRemoteIp' ? (x) => test((x.peer.direct ?? x.peer).address) : (x) => test(x.peer.address));
    }
    case 'remoteIp': {
      const test = addressTest(identifier.value, at);
      return onRequest((x) => test(remoteAddress(x)));
    }
    case 'header': {
      const test = compileHeaderMatcher(identifier.value, readingOf(at));
      return onRequest((x) => test(x.request));
    }
    case 'urlPath':
      return pathRule(identifier.value.rule, at);
    case 'metadata':
      return onRequest(compileMetadataMatcher(identifier.value));
    case 'filterState':
      return filterStateRule(identifier.value, at);
  }
}

/** Istio's peer principal as filter state; the connection's URI SAN is that principal here. */
function filterStateRule(
  value: {
    readonly key: string;
    readonly matcher: { readonly $case: string; readonly value: unknown } | undefined;
  },
  at: Place,
): RbacRule {
  if (value.key !== 'io.istio.peer_principal' || value.matcher?.$case !== 'stringMatch')
    throw new Error(`filter state ${value.key} is not supported`);
  const test = identityTest(value.matcher.value as StringMatcherLike, at);
  return onPeer((x) => x.peer.uriSans.some(test));
}

function pathRule(rule: { readonly $case: 'path'; readonly value: StringMatcherLike } | undefined, at: Place): RbacRule {
  if (rule === undefined) throw new Error('a path matcher without a rule');
  const matcher = rule.value;
  const written = compileStringMatcher(matcher);
  const escaped = at.match === 'denies' && at.bound ? escapedPattern(matcher) : undefined;
  const test = escaped === undefined ? written : either(written, escaped);
  return boundPathRule(test, (binding) => compileBoundPattern(matcher, binding), at);
}
