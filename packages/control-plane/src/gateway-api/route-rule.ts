import type { Destination, Headers, HTTPRoute, HTTPRouteDestination } from '@ripstop/istio-api';
import type { BackendRef, HeaderFilter, NamedValue, RouteFilter, RouteRule } from './route-types.ts';

/** Where short names of a route stand. */
export interface RuleScope {
  readonly namespace: string;
  readonly domain: string;
}

type Fields = { -readonly [K in keyof HTTPRoute]: HTTPRoute[K] };

/** What a backend may be. */
const KINDS: ReadonlySet<string> = new Set(['Service', 'ServiceImport', 'Hostname']);

/** Istio's default conditions; the codes of a `retry` come on top. */
const RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled';
const DEFAULT_ATTEMPTS = 2;

/** What a rule does, as fields of a VirtualService's route; its matches are not looked at. */
export function ruleFields(rule: RouteRule<unknown>, scope: RuleScope): HTTPRoute {
  const fields: Fields = {};
  for (const filter of rule.filters ?? []) applyFilter(fields, filter, scope);
  if (fields.redirect !== undefined) return fields;
  const backends = destinations(rule.backendRefs ?? [], scope);
  if (backends === undefined) return { ...fields, directResponse: { status: 500 } };
  return { ...fields, route: backends, ...timing(rule) };
}

function applyFilter(fields: Fields, filter: RouteFilter, scope: RuleScope): void {
  const { requestHeaderModifier, responseHeaderModifier, requestMirror, requestRedirect, urlRewrite, cors } = filter;
  if (requestHeaderModifier !== undefined) fields.headers = { ...fields.headers, request: operations(requestHeaderModifier) };
  if (responseHeaderModifier !== undefined) fields.headers = { ...fields.headers, response: operations(responseHeaderModifier) };
  if (requestMirror !== undefined && KINDS.has(requestMirror.backendRef.kind ?? 'Service'))
    fields.mirrors = [...(fields.mirrors ?? []), mirror(requestMirror, scope)];
  if (requestRedirect !== undefined) fields.redirect = redirect(requestRedirect);
  if (urlRewrite !== undefined) fields.rewrite = rewrite(urlRewrite);
  if (cors !== undefined) fields.corsPolicy = corsPolicy(cors);
}

function operations({ set, add, remove }: HeaderFilter): NonNullable<Headers['request']> {
  const valuesOf = (entries: readonly NamedValue[]): Record<string, string> =>
    Object.fromEntries(entries.map(({ name, value }) => [name, value]));
  return {
    ...(set === undefined ? {} : { set: valuesOf(set) }),
    ...(add === undefined ? {} : { add: valuesOf(add) }),
    ...(remove === undefined ? {} : { remove: [...remove] }),
  };
}

function mirror({ backendRef, percent, fraction }: NonNullable<RouteFilter['requestMirror']>, scope: RuleScope) {
  const share = fraction === undefined ? percent : (100 * fraction.numerator) / (fraction.denominator ?? 100);
  return { destination: destination(backendRef, scope), ...(share === undefined ? {} : { percentage: { value: share } }) };
}

/** Without a port: the scheme's if one is given, else the request's; so the API has it, other than a VirtualService. */
function redirect(spec: NonNullable<RouteFilter['requestRedirect']>): NonNullable<HTTPRoute['redirect']> {
  const { scheme, hostname, path, port, statusCode } = spec;
  return {
    redirectCode: statusCode ?? 302,
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(port === undefined ? { derivePort: scheme === undefined ? 'FROM_REQUEST_PORT' : 'FROM_PROTOCOL_DEFAULT' } : { port }),
    ...(path?.replaceFullPath === undefined ? {} : { uri: path.replaceFullPath }),
    ...(path?.replacePrefixMatch === undefined ? {} : { prefixRewrite: path.replacePrefixMatch }),
  };
}

function rewrite({ hostname, path }: NonNullable<RouteFilter['urlRewrite']>): NonNullable<HTTPRoute['rewrite']> {
  return {
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(path?.replaceFullPath === undefined ? {} : { uriRegexRewrite: { match: '/.*', rewrite: path.replaceFullPath } }),
    ...(path?.replacePrefixMatch === undefined ? {} : { uri: path.replacePrefixMatch === '' ? '/' : path.replacePrefixMatch }),
  };
}

function corsPolicy({ allowOrigins = [], maxAge, ...rest }: NonNullable<RouteFilter['cors']>): NonNullable<HTTPRoute['corsPolicy']> {
  return {
    ...rest,
    allowOrigins: allowOrigins.map((origin) => (origin.includes('*') ? { regex: originPattern(origin) } : { exact: origin })),
    ...(maxAge === undefined ? {} : { maxAge: `${maxAge}s` }),
    unmatchedPreflights: 'IGNORE',
  };
}

function originPattern(origin: string): string {
  if (origin === '*') return '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\\s?#]+$';
  return `^${origin.replaceAll('.', '\\.').replaceAll('*', '.*')}$`;
}

/** Undefined when there is nobody to send to: the API's 500. */
function destinations(refs: readonly BackendRef[], scope: RuleScope): HTTPRouteDestination[] | undefined {
  const sum = refs.reduce((total, { weight = 1 }) => total + weight, 0);
  if (sum === 0) return undefined;
  const used = refs.filter(({ weight = 1 }) => weight > 0);
  return used.map((ref) => {
    const fields: Fields = {};
    for (const filter of ref.filters ?? []) applyFilter(fields, filter, scope);
    return {
      destination: destination(ref, scope),
      ...(used.length === 1 ? {} : { weight: ref.weight ?? 1 }),
      ...(fields.headers === undefined ? {} : { headers: fields.headers }),
    };
  });
}

/** A Service, or a host by its name. A reference to anything else leads nowhere, by the name that istiod gives it. */
function destination({ kind = 'Service', name, namespace, port }: BackendRef, scope: RuleScope): Destination {
  if (!KINDS.has(kind)) return { host: 'UnknownService' };
  const host = kind === 'Hostname' ? name : `${name}.${namespace ?? scope.namespace}.svc.${scope.domain}`;
  return { host, ...(port === undefined ? {} : { port: { number: port } }) };
}

function timing({ timeouts, retry }: RouteRule<unknown>): Pick<HTTPRoute, 'timeout' | 'retries'> {
  const request = positive(timeouts?.request);
  const perTry = positive(timeouts?.backendRequest);
  if (retry === undefined) {
    const timeout = perTry ?? request;
    return timeout === undefined ? {} : { timeout };
  }
  return {
    ...(request === undefined ? {} : { timeout: request }),
    retries: {
      attempts: retry.attempts ?? DEFAULT_ATTEMPTS,
      retryOn: [RETRY_ON, ...(retry.codes ?? [])].join(','),
      ...(perTry === undefined ? {} : { perTryTimeout: perTry }),
      ...(retry.backoff === undefined ? {} : { backoff: retry.backoff }),
    },
  };
}

/** `0s` switches a timeout off. */
function positive(duration: string | undefined): string | undefined {
  return duration === undefined || /^0+(\.0+)?[a-z]*$/.test(duration) ? undefined : duration;
}
