import { checkRegex } from '../regex-check.ts';
import { checkRetryOn } from '../support-checks.ts';
import type { CorsPolicy, HTTPFaultInjection, HTTPMirrorPolicy, HTTPRetry, HTTPRewrite, HTTPRoute, Percent } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { parseDuration } from '../value-checks.ts';
import { checkDestination } from './destinations.ts';
import { isHeaderName } from './headers.ts';
import { checkRegexMatch } from './string-match.ts';

/* What an HTTP route does beside choosing a destination, by istiod's rules. */

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*']);
/** Codes that Envoy has; istiod sends 301 for others. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export function checkRedirect({ redirect, match = [] }: HTTPRoute, path: Path, report: Report): void {
  if (redirect === undefined) return;
  const { uri = '', prefixRewrite = '', authority = '', port, derivePort, scheme = '', redirectCode } = redirect;
  const bad = (field: string, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, field], message);
  if ((port ?? 0) > 65_535) bad('port', `${port} is no port: give 1 to 65535`);
  if (uri !== '' && prefixRewrite !== '') bad('prefixRewrite', 'give uri or prefixRewrite, not both');
  if (prefixRewrite !== '' && match.some(({ uri: condition }) => condition !== undefined && condition.prefix === undefined))
    bad('prefixRewrite', 'there is no prefix to replace: every uri of this route has to be matched by prefix');
  if (uri === '' && prefixRewrite === '' && authority === '' && scheme === '' && port === undefined && derivePort === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'it leads to where the caller is: give uri, prefixRewrite, authority, scheme or port');
  if (redirectCode !== undefined && !REDIRECTS.includes(redirectCode))
    bad('redirectCode', `${redirectCode} is not one of ${REDIRECTS.join(', ')}`);
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') bad('scheme', `${JSON.stringify(scheme)} is not http or https`);
}

export function checkRewrite(rewrite: HTTPRewrite | undefined, path: Path, report: Report): void {
  if (rewrite === undefined) return;
  const { uri = '', authority = '', uriRegexRewrite } = rewrite;
  if (uri === '' && authority === '' && uriRegexRewrite === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'it rewrites nothing: give uri, uriRegexRewrite or authority');
  if (uriRegexRewrite === undefined) return;
  if (uri !== '') report('RIPSTOP_ONE_OF', 'error', [...path, 'uriRegexRewrite'], 'give only one of uri, uriRegexRewrite');
  const at = [...path, 'uriRegexRewrite'];
  if ((uriRegexRewrite.match ?? '') === '' || (uriRegexRewrite.rewrite ?? '') === '')
    report('RIPSTOP_MISSING_FIELD', 'error', at, 'give match and rewrite');
  else checkRegex(uriRegexRewrite.match, [...at, 'match'], report);
}

export function checkRetries(retries: HTTPRetry | undefined, path: Path, report: Report): void {
  if (retries === undefined) return;
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities } = retries;
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined))
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, 'attempts'],
      'attempts 0, or none, is no retry: give a number, or leave the other fields out',
    );
  checkRetryOn(retryOn, [...path, 'retryOn'], report);
}

export function checkFault(fault: HTTPFaultInjection | undefined, path: Path, report: Report): void {
  if (fault === undefined) return;
  if (fault.abort === undefined && fault.delay === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'it injects nothing: give abort or delay');
  for (const field of ['abort', 'delay'] as const) checkPercent(fault[field]?.percentage, [...path, field, 'percentage'], report);
}

/** Envoy counts in millionths. */
const LEAST_PERCENT = 0.0001;

function checkPercent(percent: Percent | undefined, path: Path, report: Report): void {
  const { value = 0 } = percent ?? {};
  if (value > 0 && value < LEAST_PERCENT)
    report('RIPSTOP_OUT_OF_RANGE', 'error', [...path, 'value'], `${value} is too small: give 0, or ${LEAST_PERCENT} to 100`);
}

export function checkMirrors(mirrors: readonly HTTPMirrorPolicy[] | undefined, path: Path, report: Report): void {
  for (const [index, { destination }] of (mirrors ?? []).entries()) checkDestination(destination, [...path, index, 'destination'], report);
}

export function checkCors(policy: CorsPolicy | undefined, path: Path, report: Report): void {
  const { allowOrigins = [], allowMethods = [], maxAge } = policy ?? {};
  const bad = (at: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...at], message);
  for (const [index, origin] of allowOrigins.entries()) {
    if ((origin.exact ?? origin.prefix ?? origin.regex ?? '') === '')
      bad(['allowOrigins', index], 'an origin needs exact, prefix or regex');
    else checkRegexMatch(origin, [...path, 'allowOrigins', index], report);
  }
  for (const [index, method] of allowMethods.entries())
    if (!METHODS.has(method))
      bad(['allowMethods', index], `${JSON.stringify(method)} is no HTTP method: give one of ${[...METHODS].join(', ')}`);
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    for (const [index, name] of (policy?.[field] ?? []).entries())
      if (!isHeaderName(name)) bad([field, index], `${JSON.stringify(name)} is no name of a header`);
  }
  if (maxAge !== undefined && !Number.isInteger((parseDuration(maxAge) ?? 0) / 1000))
    bad(['maxAge'], `${JSON.stringify(maxAge)}: browsers count in whole seconds`);
}
