import {
  type Any,
  type CidrRange,
  type HeaderMatcher,
  type Policy,
  type StringMatcher,
  UriTemplateMatchConfig,
  unpackAny,
} from '@ripstop/xds-api';
import {
  anyPermission,
  anyPrincipal,
  notId,
  notRule,
  type PermissionFields,
  type PrincipalFields,
  regexPattern,
} from '../rbac/matchers.ts';
import type { FieldsOf } from '../values.ts';
import { type AddressRange, wholeRange } from './cidr.ts';
import { escapeRegex, groupedRegex } from './regex.ts';

type PolicyFields = FieldsOf<typeof Policy>;
type StringFields = FieldsOf<typeof StringMatcher>;
type HeaderFields = FieldsOf<typeof HeaderMatcher>;

export interface Judging {
  /** A condition that cannot be judged counts as met: the policy denies. */
  readonly deny: boolean;
  /** The server finds its callers' addresses in ranges. */
  readonly addresses: boolean;
  readonly unknown: (what: string) => void;
}

/**
 * A policy in conditions that gRPC libraries judge as Envoy does. What none of them can judge widens a DENY and narrows an ALLOW:
 * grpc-js-xds would take it for not met, under a "not" as well, and gRPC-Go would refuse the listener.
 */
export function enforceable(policy: PolicyFields, judging: Judging): PolicyFields {
  return {
    permissions: (policy.permissions ?? []).map((permission) => permissionOf(permission, judging, false)),
    principals: (policy.principals ?? []).map((principal) => principalOf(principal, judging, false)),
  };
}

function permissionOf(permission: PermissionFields, judging: Judging, negated: boolean): PermissionFields {
  const { rule } = permission;
  switch (rule?.$case) {
    case 'andRules':
    case 'orRules': {
      const rules = (rule.value?.rules ?? []).map((child) => permissionOf(child, judging, negated));
      return { rule: { $case: rule.$case, value: { rules } } };
    }
    case 'notRule':
      return notRule(permissionOf(rule.value ?? {}, judging, !negated));
    case 'header':
      if (isHidden(rule.value)) return unknownPermission(`header ${rule.value?.name}`, judging, negated);
      return { rule: { $case: 'header', value: headerOf(rule.value ?? {}) } };
    case 'urlPath':
      if (rule.value?.rule?.$case !== 'path') return permission;
      return { rule: { $case: 'urlPath', value: { rule: { $case: 'path', value: stringOf(rule.value.rule.value ?? {}) } } } };
    case 'uriTemplate': {
      const { pathTemplate } = unpackAny(UriTemplateMatchConfig, rule.value?.typedConfig as Any);
      return { rule: { $case: 'urlPath', value: { rule: { $case: 'path', value: regexPattern(templateRegex(pathTemplate)) } } } };
    }
    case 'destinationIp':
      if (!judging.addresses) return unknownPermission(DUAL_STACK, judging, negated);
      return { rule: { $case: 'destinationIp', value: rangeOf(rule.value ?? {}) } };
    case 'requestedServerName':
      return unknownPermission('connection.sni', judging, negated);
    default:
      return permission; // Metadata: nothing sets any, and the libraries know that.
  }
}

function principalOf(principal: PrincipalFields, judging: Judging, negated: boolean): PrincipalFields {
  const { identifier } = principal;
  switch (identifier?.$case) {
    case 'andIds':
    case 'orIds': {
      const ids = (identifier.value?.ids ?? []).map((child) => principalOf(child, judging, negated));
      return { identifier: { $case: identifier.$case, value: { ids } } };
    }
    case 'notId':
      return notId(principalOf(identifier.value ?? {}, judging, !negated));
    case 'directRemoteIp':
    case 'remoteIp':
      if (!judging.addresses) return unknownPrincipal(DUAL_STACK, judging, negated);
      return { identifier: { $case: identifier.$case, value: rangeOf(identifier.value ?? {}) } };
    case 'header':
      if (isHidden(identifier.value)) return unknownPrincipal(`header ${identifier.value?.name}`, judging, negated);
      return { identifier: { $case: 'header', value: headerOf(identifier.value ?? {}) } };
    case 'authenticated':
      if (identifier.value?.principalName === undefined) return principal;
      return { identifier: { $case: 'authenticated', value: { principalName: stringOf(identifier.value.principalName) } } };
    default:
      return principal;
  }
}

function unknownPermission(what: string, { deny, unknown }: Judging, negated: boolean): PermissionFields {
  unknown(what);
  return deny !== negated ? anyPermission : notRule(anyPermission);
}

function unknownPrincipal(what: string, { deny, unknown }: Judging, negated: boolean): PrincipalFields {
  unknown(what);
  return deny !== negated ? anyPrincipal : notId(anyPrincipal);
}

const DUAL_STACK = 'addresses on a listener of [::] (listen on 0.0.0.0)';

function rangeOf({ addressPrefix = '', prefixLen }: FieldsOf<typeof CidrRange>): AddressRange {
  return wholeRange({ addressPrefix, prefixLen: prefixLen ?? 0 });
}

/** gRPC-Go refuses policies about these. */
function isHidden(header: HeaderFields | undefined): boolean {
  const name = header?.name?.toLowerCase() ?? '';
  return name === ':scheme' || name.startsWith('grpc-');
}

function headerOf(header: HeaderFields): HeaderFields {
  const specifier = header.headerMatchSpecifier;
  if (specifier?.$case !== 'stringMatch') return header;
  return { ...header, headerMatchSpecifier: { $case: 'stringMatch', value: stringOf(specifier.value ?? {}) } };
}

function stringOf(matcher: StringFields): StringFields {
  const pattern = matcher.matchPattern;
  if (pattern?.$case !== 'safeRegex') return matcher;
  return { ...matcher, matchPattern: { $case: 'safeRegex', value: { regex: groupedRegex(pattern.value?.regex ?? '') } } };
}

/** Envoy's URI template as a regex: `*` is one segment that is not empty, `**` the rest. */
function templateRegex(template: string): string {
  return template
    .split('/')
    .map((segment) => (segment === '**' ? '.*' : segment === '*' ? '[^/]+' : escapeRegex(segment)))
    .join('/');
}
