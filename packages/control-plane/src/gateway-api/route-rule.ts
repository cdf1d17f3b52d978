import type { Destination, Headers, HTTPRoute, HTTPRouteDestination, StringMatch } from '@ripstop/istio-api';
import type { ResolvedBackend } from './backends.ts';
import type { Path, Problem } from './conditions.ts';
import type { BackendRef, HeaderFilter, NamedValue, RouteFilter, RouteRule } from './route-types.ts';

/** What a rule refers to, and which filters its kind of route and their place allow. */
export interface RuleScope {
  readonly resolve: (ref: BackendRef, path: Path) => ResolvedBackend;
  readonly filters: ReadonlySet<string>;
  /** istiod: a GRPCRoute with a mirror that leads nowhere makes no routes at all. */
  readonly needsMirrors: boolean;
}

/** A rule as fields of a VirtualService's route. Undefined fields: its document makes no routes at all (Istio: a hard error). */
export interface TranslatedRule {
  readonly fields: HTTPRoute | undefined;
  readonly problems: readonly Problem[];
}

type Fields = { -readonly [K in keyof HTTPRoute]: HTTPRoute[K] };

const HEADER_FILTERS: ReadonlySet<string> = new Set(['RequestHeaderModifier', 'ResponseHeaderModifier']);
export const GRPC_FILTERS: ReadonlySet<string> = new Set([...HEADER_FILTERS, 'RequestMirror']);
export const HTTP_FILTERS: ReadonlySet<string> = new Set([...GRPC_FILTERS, 'RequestRedirect', 'URLRewrite', 'CORS']);

/** Istio's default conditions; the codes of a `retry` come on top. */
const RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled';
const DEFAULT_ATTEMPTS = 2;

/** A header value must not end the line (Istio: isValidHeaderValue). */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\u{10ffff}]*$/u;

/** What a rule does; its matches are not looked at. `path`: where it stands. */
export function ruleFields(rule: RouteRule<unknown>, scope: RuleScope, path: Path): TranslatedRule {
  const draft = new RuleDraft(scope);
  for (const [index, filter] of (rule.filters ?? []).entries()) draft.add(filter, [...path, 'filters', index], scope.filters);
  const { fields } = draft;
  if (fields.redirect === undefined) {
    const backends = draft.destinations(rule.backendRefs ?? [], [...path, 'backendRefs']);
    if (backends === undefined) fields.directResponse = { status: 500 };
    else Object.assign(fields, { route: backends }, timing(rule));
  }
  return { fields: draft.fatal ? undefined : fields, problems: draft.problems };
}

class RuleDraft {
  readonly fields: Fields = {};
  readonly problems: Problem[] = [];
  fatal = false;
  private readonly scope: RuleScope;

  constructor(scope: RuleScope) {
    this.scope = scope;
  }

  add(filter: RouteFilter, path: Path, allowed: ReadonlySet<string>, fields = this.fields): void {
    const { type, requestHeaderModifier, responseHeaderModifier, requestMirror, requestRedirect, urlRewrite, cors } = filter;
    if (!allowed.has(type)) {
      this.invalidFilter(`unsupported filter type "${type}"`, path);
    } else if (type === 'RequestHeaderModifier' && requestHeaderModifier !== undefined) {
      fields.headers = { ...fields.headers, request: this.operations(requestHeaderModifier, [...path, 'requestHeaderModifier']) };
    } else if (type === 'ResponseHeaderModifier' && responseHeaderModifier !== undefined) {
      fields.headers = { ...fields.headers, response: this.operations(responseHeaderModifier, [...path, 'responseHeaderModifier']) };
    } else if (type === 'RequestMirror' && requestMirror !== undefined) {
      this.mirror(requestMirror, [...path, 'requestMirror', 'backendRef']);
    } else if (type === 'RequestRedirect' && requestRedirect !== undefined) fields.redirect = redirect(requestRedirect);
    else if (type === 'URLRewrite' && urlRewrite !== undefined) fields.rewrite = rewrite(urlRewrite);
    else if (type === 'CORS' && cors !== undefined) fields.corsPolicy = corsPolicy(cors);
  }

  /** Undefined when there is nobody to send to: the API's 500. */
  destinations(refs: readonly BackendRef[], path: Path): HTTPRouteDestination[] | undefined {
    const used = [...refs.entries()].filter(([, { weight = 1 }]) => weight > 0);
    if (used.length === 0) return undefined;
    return used.map(([index, ref]) => {
      const at = [...path, index];
      const own: Fields = {};
      for (const [number, filter] of (ref.filters ?? []).entries()) this.add(filter, [...at, 'filters', number], HEADER_FILTERS, own);
      return {
        destination: this.destination(ref, at),
        ...(used.length === 1 ? {} : { weight: ref.weight ?? 1 }),
        ...(own.headers === undefined ? {} : { headers: own.headers }),
      };
    });
  }

  private destination(ref: BackendRef, path: Path): Destination {
    const { destination, problem, fatal } = this.scope.resolve(ref, path);
    if (problem !== undefined) this.problems.push(problem);
    if (fatal) this.fatal = true;
    return destination;
  }

  /** Of an HTTPRoute a mirror that leads nowhere is left out; the requests themselves go their way. */
  private mirror({ backendRef, percent, fraction }: NonNullable<RouteFilter['requestMirror']>, path: Path): void {
    const { destination, problem } = this.scope.resolve(backendRef, path);
    if (problem !== undefined) {
      this.problems.push(problem);
      if (this.scope.needsMirrors) this.fatal = true;
      return;
    }
    const share = fraction === undefined ? percent : (100 * fraction.numerator) / (fraction.denominator ?? 100);
    const mirror = { destination, ...(share === undefined ? {} : { percentage: { value: share } }) };
    this.fields.mirrors = [...(this.fields.mirrors ?? []), mirror];
  }

  private operations({ set = [], add = [], remove }: HeaderFilter, path: Path): NonNullable<Headers['request']> {
    for (const { name, value } of [...set, ...add]) {
      if (!HEADER_VALUE.test(value)) this.invalidFilter(`header "${name}" value contains invalid characters`, path);
    }
    return {
      ...(set.length === 0 ? {} : { set: headerValues(set) }),
      ...(add.length === 0 ? {} : { add: headerValues(add) }),
      ...(remove === undefined ? {} : { remove: [...remove] }),
    };
  }

  private invalidFilter(message: string, path: Path): void {
    this.problems.push({ reason: 'InvalidFilter', message, path });
    this.fatal = true;
  }
}

/** Names without case; of two entries for one name the first counts, as the API says. */
function headerValues(entries: readonly NamedValue[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const { name, value } of entries) values[name.toLowerCase()] ??= value;
  return values;
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
  const prefix = path?.replacePrefixMatch?.replace(/\/$/, '');
  return {
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(path?.replaceFullPath === undefined ? {} : { uriRegexRewrite: { match: '/.*', rewrite: path.replaceFullPath } }),
    // `/` removes the prefix.
    ...(prefix === undefined ? {} : { uri: prefix === '' ? '/' : prefix }),
  };
}

function corsPolicy(cors: NonNullable<RouteFilter['cors']>): NonNullable<HTTPRoute['corsPolicy']> {
  const { allowOrigins = [], allowMethods, allowHeaders, exposeHeaders, maxAge = 0, allowCredentials } = cors;
  return {
    allowOrigins: allowOrigins.map(origin),
    ...(allowMethods === undefined ? {} : { allowMethods }),
    ...(allowHeaders === undefined ? {} : { allowHeaders }),
    ...(exposeHeaders === undefined ? {} : { exposeHeaders }),
    ...(allowCredentials === true ? { allowCredentials } : {}),
    ...(maxAge > 0 ? { maxAge: `${maxAge}s` } : {}),
    unmatchedPreflights: 'IGNORE',
  };
}

/** `*` is any origin that is well formed; one `*` at the end is a prefix. */
function origin(text: string): StringMatch {
  if (text === '*') return { regex: '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\\s?#]+$' };
  if (!text.includes('*')) return { exact: text };
  if (text.indexOf('*') === text.length - 1) return { prefix: text.slice(0, -1) };
  return { regex: `^${text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&').replaceAll('\\*', '.*')}$` };
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
      // Conditions without attempts are a contradiction.
      ...(retry.attempts === 0 ? {} : { retryOn: [RETRY_ON, ...(retry.codes ?? [])].join(',') }),
      ...(perTry === undefined ? {} : { perTryTimeout: perTry }),
      ...(retry.backoff === undefined ? {} : { backoff: retry.backoff }),
    },
  };
}

/** `0s` switches a timeout off. */
function positive(duration: string | undefined): string | undefined {
  return duration === undefined || /^0+(\.0+)?[a-z]*$/.test(duration) ? undefined : duration;
}
