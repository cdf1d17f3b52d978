import {
  allIds,
  authenticated,
  cidr,
  claim,
  claimListOrString,
  claimString,
  filterMetadata,
  headerMatch,
  type PermissionFields,
  type PrincipalFields,
  pathPermission,
  regexPattern,
  type StringFields,
  stringPattern,
} from './matchers.ts';

/** A kind of value that rules may name: how one value becomes a matcher. HTTP attributes do not exist on a TCP connection. */
export type Attribute =
  | { readonly on: 'permission-list'; readonly http: boolean; readonly matchAll: (values: readonly string[]) => PermissionFields }
  | { readonly on: 'permission'; readonly http: boolean; readonly match: (value: string, scope: RuleScope) => PermissionFields }
  | { readonly on: 'principal'; readonly http: boolean; readonly match: (value: string, scope: RuleScope) => PrincipalFields }
  | { readonly on: 'principal-list'; readonly http: boolean; readonly matchAll: (values: readonly string[]) => PrincipalFields };

/** What texts of a rule are read against. */
export interface RuleScope {
  /** The namespace of the policy. */
  readonly namespace: string;
  /** Trust domain of the mesh and its aliases; none: principals keep their text. */
  readonly trustDomains: readonly string[];
}

const permission = (http: boolean, match: (value: string, scope: RuleScope) => PermissionFields): Attribute => ({
  on: 'permission',
  http,
  match,
});
const principal = (http: boolean, match: (value: string, scope: RuleScope) => PrincipalFields): Attribute => ({
  on: 'principal',
  http,
  match,
});

export const HOST: Attribute = permission(true, (value) => ({ rule: { $case: 'header', value: headerMatch(':authority', value, true) } }));
export const METHOD: Attribute = permission(true, (value) => ({ rule: { $case: 'header', value: headerMatch(':method', value) } }));
export const PATH: Attribute = permission(true, pathPermission);
export const PORT: Attribute = permission(false, (value) => ({ rule: { $case: 'destinationPort', value: Number(value) } }));
export const DESTINATION_IP: Attribute = permission(false, (value) => ({ rule: { $case: 'destinationIp', value: cidr(value) } }));
export const SNI: Attribute = permission(false, (value) => ({ rule: { $case: 'requestedServerName', value: stringPattern(value) } }));

export const PRINCIPAL: Attribute = principal(false, (value) => {
  if (value === '*') return authenticated(regexPattern('.+'));
  if (value.startsWith('*')) return authenticated(regexPattern(`spiffe://.*${escapeRegex(value.slice(1))}`));
  return authenticated(stringPattern(`spiffe://${value}`));
});
export const NAMESPACE: Attribute = principal(false, (value) =>
  authenticated(regexPattern(`.*/ns/${escapeRegex(value).replaceAll('\\*', '.*')}/.*`)),
);
export const SERVICE_ACCOUNT: Attribute = principal(false, (value, { namespace }) => {
  const slash = value.indexOf('/');
  const owner = slash === -1 ? namespace : value.slice(0, slash);
  return authenticated(regexPattern(`spiffe://.+/ns/${escapeRegex(owner)}/(.+/|)sa/${escapeRegex(value.slice(slash + 1))}(/.+)?`));
});
export const TRUST_DOMAIN: Attribute = principal(false, (value) => authenticated(inTrustDomain(value)));
export const IP_BLOCK: Attribute = principal(false, (value) => ({ identifier: { $case: 'directRemoteIp', value: cidr(value) } }));
export const REMOTE_IP_BLOCK: Attribute = principal(false, (value) => ({ identifier: { $case: 'remoteIp', value: cidr(value) } }));
export const REQUEST_PRINCIPAL: Attribute = principal(true, requestPrincipal);
export const AUDIENCES: Attribute = { on: 'principal-list', http: true, matchAll: (values) => claim(['aud'], claimListOrString(values)) };
export const PRESENTER: Attribute = { on: 'principal-list', http: true, matchAll: (values) => claim(['azp'], claimListOrString(values)) };

/** The attribute of a `when` key, or undefined for one that does not exist. */
export function conditionAttribute(key: string): Attribute | undefined {
  const fixed = CONDITIONS.get(key);
  if (fixed !== undefined) return fixed;
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1];
  if (header !== undefined) return principal(true, (value) => ({ identifier: { $case: 'header', value: headerMatch(header, value) } }));
  const filterKey = /^experimental\.(envoy\.filters\.[^[]+)\[(.+)\]$/.exec(key);
  if (filterKey !== null) {
    const [, filter = '', name = ''] = filterKey;
    return { on: 'permission-list', http: true, matchAll: (values) => filterMetadata(filter, name, values) };
  }
  const claims = /^request\.auth\.claims((?:\[[^\]]+\])+)$/.exec(key)?.[1];
  if (claims === undefined) return undefined;
  const path = [...claims.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1]!);
  return { on: 'principal-list', http: true, matchAll: (values) => claim(path, claimListOrString(values)) };
}

const CONDITIONS: ReadonlyMap<string, Attribute> = new Map([
  ['source.ip', IP_BLOCK],
  ['remote.ip', REMOTE_IP_BLOCK],
  ['source.namespace', NAMESPACE],
  ['source.serviceAccount', SERVICE_ACCOUNT],
  ['source.principal', PRINCIPAL],
  ['source.trustDomain', TRUST_DOMAIN],
  ['request.auth.principal', REQUEST_PRINCIPAL],
  ['request.auth.audiences', AUDIENCES],
  ['request.auth.presenter', PRESENTER],
  ['destination.ip', DESTINATION_IP],
  ['destination.port', PORT],
  ['connection.sni', SNI],
]);

/** The first star stands for a part of the domain's name, never for a slash; a star alone for any domain. */
function inTrustDomain(value: string): StringFields {
  const prefix = (text: string): StringFields => ({ matchPattern: { $case: 'prefix', value: text } });
  if (value === '*') return prefix('spiffe://');
  const star = value.indexOf('*');
  if (star === -1) return prefix(`spiffe://${value}/`);
  return regexPattern(`spiffe://${escapeRegex(value.slice(0, star))}[^/]*${escapeRegex(value.slice(star + 1))}/.*`);
}

/**
 * `issuer/subject`: both claims of the token; the last slash parts them. A star at an end without a slash stands for what is missing;
 * an issuer alone asks for an empty subject, as istiod writes it.
 */
function requestPrincipal(value: string): PrincipalFields {
  const both = (issuer: string, subject: string): PrincipalFields =>
    allIds([claim(['iss'], claimString(issuer)), claim(['sub'], claimString(subject))]);
  if (value === '*') return both('*', '*');
  const slash = value.lastIndexOf('/');
  const issuer = slash === -1 ? value : value.slice(0, slash);
  const subject = slash === -1 ? '' : value.slice(slash + 1);
  if (value.startsWith('*') && slash === -1) return both('*', value);
  return both(issuer, subject === '' && value.endsWith('*') ? '*' : subject);
}

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
