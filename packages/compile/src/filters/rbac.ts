import { isIP } from 'node:net';
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
  type StringTest,
} from '@ripstop/core';
import {
  HttpRbac,
  HttpRbacPerRoute,
  type Permission,
  type Principal,
  RBAC_Action,
  typeUrlOf,
  UriTemplateMatchConfig,
  unpackAny,
} from '@ripstop/xds-api';
import { compileCidr } from '../cidr.ts';
import { compileHeaderMatcher, compileStringMatcher, compileUriTemplate } from '../matchers.ts';

export const rbac: FilterFactory<RbacConfig> = {
  typeUrl: typeUrlOf(HttpRbac.$type),
  overrideTypeUrl: typeUrlOf(HttpRbacPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => decodeRbac(HttpRbac.decode(body)),
  decodeOverride: (body) => {
    const { rbac: message } = HttpRbacPerRoute.decode(body);
    // A per-route override without rbac switches the filter off there.
    return message === undefined ? { rules: undefined, shadowRules: undefined, shadowPrefix: '' } : decodeRbac(message);
  },
  create: (config, override) => createRbac(override ?? config),
};

type RuleSetMessage = NonNullable<ReturnType<typeof HttpRbac.decode>['rules']>;

function decodeRbac(message: ReturnType<typeof HttpRbac.decode>): RbacConfig {
  if (message.matcher !== undefined || message.shadowMatcher !== undefined) throw new Error('RBAC matcher trees are not supported');
  return {
    rules: message.rules === undefined ? undefined : decodeRuleSet(message.rules),
    shadowRules: message.shadowRules === undefined ? undefined : decodeRuleSet(message.shadowRules),
    shadowPrefix: message.shadowRulesStatPrefix,
  };
}

function decodeRuleSet(message: RuleSetMessage): RbacRuleSet {
  const policies = Object.entries(message.policies)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, policy]) => {
      if (policy.condition !== undefined || policy.checkedCondition !== undefined)
        throw new Error(`policy ${name}: CEL conditions are not supported`);
      return {
        name,
        permission: orRules(policy.permissions.map(permissionRule)),
        principal: orRules(policy.principals.map(principalRule)),
      };
    });
  const action = message.action === RBAC_Action.DENY ? 'DENY' : message.action === RBAC_Action.LOG ? 'LOG' : 'ALLOW';
  return { action, policies };
}

const onRequest = (test: (x: Exchange) => boolean): RbacRule => ({ peerOnly: false, test });
const onPeer = (test: (x: Exchange) => boolean): RbacRule => ({ peerOnly: true, test });

function permissionRule(permission: Permission): RbacRule {
  const { rule } = permission;
  if (rule === undefined) throw new Error('a permission without a rule');
  switch (rule.$case) {
    case 'any':
      return rule.value ? ANY_RULE : notRule(ANY_RULE);
    case 'andRules':
      return andRules(rule.value.rules.map(permissionRule));
    case 'orRules':
      return orRules(rule.value.rules.map(permissionRule));
    case 'notRule':
      return notRule(permissionRule(rule.value));
    case 'header': {
      const test = compileHeaderMatcher(rule.value);
      return onRequest((x) => test(x.request));
    }
    case 'urlPath':
      return pathRule(rule.value.rule);
    case 'uriTemplate': {
      if (rule.value.typedConfig === undefined) throw new Error('a path template without configuration');
      const test = compileUriTemplate(unpackAny(UriTemplateMatchConfig, rule.value.typedConfig).pathTemplate);
      return onRequest((x) => test(x.matchPath));
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
      return metadataRule(rule.value);
    case 'matcher':
      throw new Error(`permission matcher ${rule.value.name} is not supported`);
  }
}

function principalRule(principal: Principal): RbacRule {
  const { identifier } = principal;
  if (identifier === undefined) throw new Error('a principal without an identifier');
  switch (identifier.$case) {
    case 'any':
      return identifier.value ? ANY_RULE : notRule(ANY_RULE);
    case 'andIds':
      return andRules(identifier.value.ids.map(principalRule));
    case 'orIds':
      return orRules(identifier.value.ids.map(principalRule));
    case 'notId':
      return notRule(principalRule(identifier.value));
    case 'authenticated': {
      const name = identifier.value.principalName;
      return authenticatedRule(name === undefined ? undefined : compileStringMatcher(name));
    }
    case 'sourceIp':
    case 'directRemoteIp': {
      const test = compileCidr(identifier.value.addressPrefix, identifier.value.prefixLen ?? 0);
      return onPeer((x) => test(x.peer.address));
    }
    case 'remoteIp': {
      const test = compileCidr(identifier.value.addressPrefix, identifier.value.prefixLen ?? 0);
      return onRequest((x) => test(remoteAddress(x)));
    }
    case 'header': {
      const test = compileHeaderMatcher(identifier.value);
      return onRequest((x) => test(x.request));
    }
    case 'urlPath':
      return pathRule(identifier.value.rule);
    case 'metadata':
      return metadataRule(identifier.value);
    case 'filterState':
      return filterStateRule(identifier.value);
  }
}

/** Istio's peer principal as filter state; the connection's URI SAN is that principal here. */
function filterStateRule(value: {
  readonly key: string;
  readonly matcher: { readonly $case: string; readonly value: unknown } | undefined;
}): RbacRule {
  if (value.key !== 'io.istio.peer_principal' || value.matcher?.$case !== 'stringMatch')
    throw new Error(`filter state ${value.key} is not supported`);
  const test = compileStringMatcher(value.matcher.value as Parameters<typeof compileStringMatcher>[0]);
  return onPeer((x) => x.peer.uriSans.some(test));
}

function pathRule(rule: { readonly $case: 'path'; readonly value: Parameters<typeof compileStringMatcher>[0] } | undefined): RbacRule {
  if (rule === undefined) throw new Error('a path matcher without a rule');
  const test = compileStringMatcher(rule.value);
  return onRequest((x) => test(x.matchPath));
}

/** Dynamic metadata (JWT payload). Missing metadata matches nothing, so that the inverse of it is true (Envoy). */
function metadataRule(matcher: {
  readonly filter: string;
  readonly path: readonly { readonly segment: { readonly $case: 'key'; readonly value: string } | undefined }[];
  readonly value: unknown;
  readonly invert: boolean;
}): RbacRule {
  const path = matcher.path.map(({ segment }) => segment?.value ?? '');
  const test = valueTest(matcher.value);
  return onRequest((x) => {
    let value: unknown = x.metadata?.get(matcher.filter);
    for (const key of path)
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return test(value) !== matcher.invert;
  });
}

interface ValueMatcherLike {
  readonly matchPattern: { readonly $case: string; readonly value: unknown } | undefined;
}

function valueTest(matcher: unknown): (value: unknown) => boolean {
  const pattern = (matcher as ValueMatcherLike | undefined)?.matchPattern;
  switch (pattern?.$case) {
    case 'stringMatch': {
      const test: StringTest = compileStringMatcher(pattern.value as Parameters<typeof compileStringMatcher>[0]);
      return (value) => typeof value === 'string' && test(value);
    }
    case 'presentMatch':
      return (value) => pattern.value === true && value !== undefined;
    case 'nullMatch':
      return (value) => value === null;
    case 'doubleMatch':
      return doubleTest(pattern.value);
    case 'boolMatch':
      return (value) => value === pattern.value;
    case 'listMatch': {
      const list = pattern.value as { readonly matchPattern: { readonly $case: 'oneOf'; readonly value: unknown } | undefined };
      const test = valueTest(list.matchPattern?.value);
      return (value) => Array.isArray(value) && value.some(test);
    }
    case 'orMatch': {
      const tests = (pattern.value as { readonly valueMatchers: readonly unknown[] }).valueMatchers.map(valueTest);
      return (value) => tests.some((test) => test(value));
    }
    default:
      throw new Error(`metadata value matcher ${pattern?.$case ?? 'without a pattern'} is not supported`);
  }
}

interface DoubleMatcherLike {
  readonly matchPattern:
    | { readonly $case: 'exact'; readonly value: number }
    | { readonly $case: 'range'; readonly value: { readonly start: number; readonly end: number } }
    | undefined;
}

function doubleTest(matcher: unknown): (value: unknown) => boolean {
  const pattern = (matcher as DoubleMatcherLike).matchPattern;
  if (pattern === undefined) throw new Error('a number matcher without a pattern');
  if (pattern.$case === 'exact') return (value) => value === pattern.value;
  const { start, end } = pattern.value;
  return (value) => typeof value === 'number' && value >= start && value < end;
}

/** Envoy's remote address on a sidecar: the last x-forwarded-for entry when it is an address, else the peer. */
function remoteAddress(x: Exchange): string {
  const forwarded = x.request.header('x-forwarded-for');
  if (forwarded === undefined) return x.peer.address;
  const entries = forwarded.split(',');
  // With use_remote_address the peer is the last entry by now.
  const entry = entries[entries.length - x.manager.xffTrustedHops - 1]?.trim() ?? '';
  return isIP(entry) === 0 ? x.peer.address : entry;
}
