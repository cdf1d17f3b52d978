import {
  type HeaderMatcher,
  type PathMatcher,
  type Permission,
  type Principal,
  packAny,
  type StringMatcher,
  UriTemplateMatchConfig,
  type ValueMatcher,
} from '@ripstop/xds-api';
import type { FieldsOf } from '../values.ts';

export type PermissionFields = FieldsOf<typeof Permission>;
export type PrincipalFields = FieldsOf<typeof Principal>;
export type StringFields = FieldsOf<typeof StringMatcher>;

/** `*` anything, `prefix*`, `*suffix`, else exact: Istio's value syntax. */
export function stringPattern(value: string, ignoreCase = false): StringFields {
  const base = ignoreCase ? { ignoreCase: true } : {};
  if (value === '*') return { ...base, matchPattern: { $case: 'safeRegex', value: { regex: '.+' } } };
  if (value.startsWith('*')) return { ...base, matchPattern: { $case: 'suffix', value: value.slice(1) } };
  if (value.endsWith('*')) return { ...base, matchPattern: { $case: 'prefix', value: value.slice(0, -1) } };
  return { ...base, matchPattern: { $case: 'exact', value } };
}

export function regexPattern(regex: string): StringFields {
  return { matchPattern: { $case: 'safeRegex', value: { regex } } };
}

/** A header of the request; `*` asks only that it is there. */
export function headerMatch(name: string, value: string, ignoreCase = false): FieldsOf<typeof HeaderMatcher> {
  if (value === '*') return { name, headerMatchSpecifier: { $case: 'presentMatch', value: true } };
  return { name, headerMatchSpecifier: { $case: 'stringMatch', value: stringPattern(value, ignoreCase) } };
}

/** A path: template (`{*}` one segment, `{**}` the rest) or string, without its query. */
export function pathPermission(value: string): PermissionFields {
  if (value.includes('{*}') || value.includes('{**}')) {
    const pathTemplate = value.replaceAll('{**}', '**').replaceAll('{*}', '*');
    const config = packAny(UriTemplateMatchConfig, UriTemplateMatchConfig.fromPartial({ pathTemplate }));
    return { rule: { $case: 'uriTemplate', value: { name: 'uri-template', typedConfig: config } } };
  }
  const path: FieldsOf<typeof PathMatcher> = { rule: { $case: 'path', value: stringPattern(value) } };
  return { rule: { $case: 'urlPath', value: path } };
}

/** `10.0.0.0/8`, or one address. */
export function cidr(value: string): { addressPrefix: string; prefixLen: number } {
  const slash = value.indexOf('/');
  if (slash !== -1) return { addressPrefix: value.slice(0, slash), prefixLen: Number(value.slice(slash + 1)) };
  return { addressPrefix: value, prefixLen: value.includes(':') ? 128 : 32 };
}

export function authenticated(pattern: StringFields): PrincipalFields {
  return { identifier: { $case: 'authenticated', value: { principalName: pattern } } };
}

const JWT_FILTER = 'envoy.filters.http.jwt_authn';

/** A claim of the validated token, by its path under `payload`. */
export function claim(path: readonly string[], value: FieldsOf<typeof ValueMatcher>): PrincipalFields {
  return {
    identifier: {
      $case: 'metadata',
      value: {
        filter: JWT_FILTER,
        path: ['payload', ...path].map((key) => ({ segment: { $case: 'key', value: key } })),
        value,
      },
    },
  };
}

export function claimString(value: string): FieldsOf<typeof ValueMatcher> {
  return { matchPattern: { $case: 'stringMatch', value: stringPattern(value) } };
}

/** A claim may be a list or a scalar; several values are alternatives in both. */
export function claimListOrString(values: readonly string[]): FieldsOf<typeof ValueMatcher> {
  const one: FieldsOf<typeof ValueMatcher> =
    values.length === 1
      ? claimString(values[0]!)
      : { matchPattern: { $case: 'orMatch', value: { valueMatchers: values.map(claimString) } } };
  return listOrScalar(one);
}

export function listOrScalar(one: FieldsOf<typeof ValueMatcher>): FieldsOf<typeof ValueMatcher> {
  return {
    matchPattern: {
      $case: 'orMatch',
      value: {
        valueMatchers: [{ matchPattern: { $case: 'listMatch', value: { matchPattern: { $case: 'oneOf', value: one } } } }, one],
      },
    },
  };
}

/** Metadata that another filter has set; `[value]` asks for a list that holds it. */
export function filterMetadata(filter: string, key: string, values: readonly string[]): PermissionFields {
  const matchers = values.map((value): FieldsOf<typeof ValueMatcher> => {
    if (!value.startsWith('[') || !value.endsWith(']')) return claimString(value);
    return { matchPattern: { $case: 'listMatch', value: { matchPattern: { $case: 'oneOf', value: claimString(value.slice(1, -1)) } } } };
  });
  const value: FieldsOf<typeof ValueMatcher> =
    matchers.length === 1 ? matchers[0]! : { matchPattern: { $case: 'orMatch', value: { valueMatchers: matchers } } };
  return { rule: { $case: 'metadata', value: { filter, path: [{ segment: { $case: 'key', value: key } }], value } } };
}

export const allOf = (rules: readonly PermissionFields[]): PermissionFields => ({
  rule: { $case: 'andRules', value: { rules: [...rules] } },
});
export const anyOf = (rules: readonly PermissionFields[]): PermissionFields => ({
  rule: { $case: 'orRules', value: { rules: [...rules] } },
});
export const notRule = (rule: PermissionFields): PermissionFields => ({ rule: { $case: 'notRule', value: rule } });
export const anyPermission: PermissionFields = { rule: { $case: 'any', value: true } };

export const allIds = (ids: readonly PrincipalFields[]): PrincipalFields => ({ identifier: { $case: 'andIds', value: { ids: [...ids] } } });
export const anyIds = (ids: readonly PrincipalFields[]): PrincipalFields => ({ identifier: { $case: 'orIds', value: { ids: [...ids] } } });
export const notId = (id: PrincipalFields): PrincipalFields => ({ identifier: { $case: 'notId', value: id } });
export const anyPrincipal: PrincipalFields = { identifier: { $case: 'any', value: true } };
