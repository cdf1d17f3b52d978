import { type HttpRbac, type NetworkRbac, Permission, type Policy, Principal } from '@ripstop/xds-api';
import type { FieldsOf } from '../../values.ts';
import { type RuleOptions, rbacPolicy } from '../rule.ts';

type Json = Readonly<Record<string, unknown>>;

/** A policy as short text: `permissions => principals`. */
export function printedPolicy({ permissions = [], principals = [] }: FieldsOf<typeof Policy>): string {
  const left = permissions.map((one) => printed(Permission.toJSON(Permission.fromPartial(one)) as Json));
  const right = principals.map((one) => printed(Principal.toJSON(Principal.fromPartial(one)) as Json));
  return `${left.join(' | ')} => ${right.join(' | ')}`;
}

/** One rule of an AuthorizationPolicy, translated. */
export function printedRule(rule: Parameters<typeof rbacPolicy>[0], options: RuleOptions): string | undefined {
  const policy = rbacPolicy(rule, options);
  return policy === undefined ? undefined : printedPolicy(policy);
}

/** A filter: its action, then a line per policy; shadow rules after `shadow`, with their prefix. */
export function printedFilter(filter: HttpRbac | NetworkRbac): readonly string[] {
  const { rules, shadowRules, shadowRulesStatPrefix } = filter;
  const lines = (text: string, set: HttpRbac['rules']): string[] =>
    set === undefined
      ? []
      : [
          `${text}${['ALLOW', 'DENY', 'LOG'][set.action]}`,
          ...Object.entries(set.policies).map(([name, policy]) => `${name}: ${printedPolicy(policy)}`),
        ];
  return [...lines('', rules), ...lines(`shadow ${shadowRulesStatPrefix} `, shadowRules)];
}

/** Of protobuf's JSON, which names the one field that is set. */
function printed(json: Json): string {
  const [[name, value] = ['nothing', {}]] = Object.entries(json);
  const field = value as Json;
  switch (name) {
    case 'any':
      return 'any';
    case 'andRules':
    case 'andIds':
      return `and(${listOf(field).join(', ')})`;
    case 'orRules':
    case 'orIds':
      return `or(${listOf(field).join(', ')})`;
    case 'notRule':
    case 'notId':
      return `not ${printed(field)}`;
    case 'header':
      return `${field.name} ${field.presentMatch === true ? 'present' : text(field.stringMatch as Json)}`;
    case 'urlPath':
      return `path ${text(field.path as Json)}`;
    case 'uriTemplate':
      return `template ${(field.typedConfig as Json).pathTemplate ?? JSON.stringify(field.typedConfig)}`;
    case 'destinationPort':
      return `port ${value}`;
    case 'destinationIp':
    case 'directRemoteIp':
    case 'remoteIp':
      return `${name} ${field.addressPrefix}/${field.prefixLen}`;
    case 'requestedServerName':
      return `sni ${text(field)}`;
    case 'authenticated':
      return `caller ${text(field.principalName as Json)}`;
    case 'metadata':
      return `${field.filter} ${(field.path as Json[]).map(({ key }) => key).join('.')} ${valueText(field.value as Json)}`;
    default:
      return JSON.stringify(json);
  }
}

function listOf(field: Json): string[] {
  return ((field.rules ?? field.ids) as Json[]).map(printed);
}

function text({ ignoreCase, safeRegex, ...pattern }: Json): string {
  const [[how, value] = []] = safeRegex === undefined ? Object.entries(pattern) : [['regex', (safeRegex as Json).regex]];
  return `${how}${ignoreCase === true ? ' (any case)' : ''} ${value}`;
}

function valueText({ stringMatch, orMatch, listMatch }: Json): string {
  if (stringMatch !== undefined) return text(stringMatch as Json);
  if (orMatch !== undefined) return `or(${((orMatch as Json).valueMatchers as Json[]).map(valueText).join(', ')})`;
  return `has ${valueText((listMatch as Json).oneOf as Json)}`;
}
