import { checkClaims } from '../support-checks.ts';
import type { HTTPMatchRequest, HTTPRoute } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { checkDestination, checkWeights } from './destinations.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkHeaders, isAuthority, isMatchedHeader } from './headers.ts';
import { checkCors, checkFault, checkMirrors, checkRedirect, checkRetries, checkRewrite } from './http-policies.ts';
import { checkLabels, isDnsLabel } from './names.ts';
import { checkRegexMatch, checkStringMatch } from './string-match.ts';

/** One rule of a VirtualService (Istio: validateHTTPRoute). `delegated`: of a VirtualService without hosts. */
export function checkHttpRoute(route: HTTPRoute, delegated: boolean, path: Path, report: Report): void {
  checkActions(route, delegated, path, report);
  for (const [index, match] of (route.match ?? []).entries()) checkMatch(match, [...path, 'match', index], report);
  checkHeaders(route.headers, [...path, 'headers'], report);
  checkCors(route.corsPolicy, [...path, 'corsPolicy'], report);
  checkFault(route.fault, [...path, 'fault'], report);
  checkDestination(route.mirror, [...path, 'mirror'], report);
  checkMirrors(route.mirrors, [...path, 'mirrors'], report);
  checkRedirect(route, [...path, 'redirect'], report);
  checkBody(route, [...path, 'directResponse', 'body'], report);
  checkRetries(route.retries, [...path, 'retries'], report);
  checkRewrite(route.rewrite, [...path, 'rewrite'], report);
  checkAuthority(route, path, report);
  const { route: destinations } = route;
  if (destinations === undefined) return;
  checkWeights(destinations, [...path, 'route'], report);
  for (const [index, { headers }] of destinations.entries()) checkHeaders(headers, [...path, 'route', index, 'headers'], report);
}

function checkActions(route: HTTPRoute, delegated: boolean, path: Path, report: Report): void {
  const { route: destinations, redirect, directResponse, delegate, mirror, mirrors = [] } = route;
  const bad = (field: string, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, field], message);
  if (delegate !== undefined) {
    if (delegated) bad('delegate', 'a VirtualService that is a delegate cannot delegate again');
    // Istio: mergeHTTPRoute.
    if (directResponse !== undefined)
      report(
        'RIPSTOP_BAD_VALUE',
        'warning',
        [...path, 'directResponse'],
        "the delegate's routes inherit it: none of them leads to its destinations, and only redirects and answers of their own stay",
      );
    return;
  }
  const answered = redirect !== undefined ? 'redirect' : directResponse !== undefined ? 'directResponse' : undefined;
  if (answered === undefined) {
    if (destinations === undefined)
      report('RIPSTOP_MISSING_FIELD', 'error', path, 'a route needs one of route, redirect, directResponse, delegate');
    else if (destinations.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'route'], 'give at least one destination');
  } else {
    for (const field of ['fault', 'rewrite'] as const)
      if (route[field] !== undefined) bad(field, `${field} has no effect beside ${answered}: remove one of them`);
  }
  if (mirror !== undefined && mirrors.length > 0) bad('mirrors', 'give mirror or mirrors, not both');
}

function checkMatch(match: HTTPMatchRequest, path: Path, report: Report): void {
  checkClaims(match, path, report);
  checkRegexMatch(match.uri, [...path, 'uri'], report);
  for (const field of ['scheme', 'method', 'authority'] as const) checkStringMatch(match[field], [...path, field], report);
  for (const [name, value] of Object.entries(match.queryParams ?? {})) checkStringMatch(value, [...path, 'queryParams', name], report);
  for (const field of ['headers', 'withoutHeaders'] as const) {
    for (const [name, value] of Object.entries(match[field] ?? {})) {
      if (!isMatchedHeader(name) && !name.startsWith('@request.auth.'))
        report('RIPSTOP_BAD_VALUE', 'error', [...path, field, name], `${JSON.stringify(name)} is no name of a header`);
      // `*` is no expression: istiod takes it for "is there".
      if (field === 'headers' || value.regex !== '*') checkStringMatch(value, [...path, field, name], report);
    }
  }
  checkLabels(match.sourceLabels, [...path, 'sourceLabels'], report);
  checkGatewayNames(match.gateways, [...path, 'gateways'], report);
  const { sourceNamespace = '' } = match;
  if (sourceNamespace !== '' && !isDnsLabel(sourceNamespace))
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'sourceNamespace'], `${JSON.stringify(sourceNamespace)} is no name of a namespace`);
}

const MAX_BODY = 1024 * 1024;

function checkBody({ directResponse }: HTTPRoute, path: Path, report: Report): void {
  const { string = '', bytes } = directResponse?.body ?? {};
  const size = Math.max(Buffer.byteLength(string), Buffer.from(bytes ?? '', 'base64').length);
  if (size > MAX_BODY) report('RIPSTOP_BAD_VALUE', 'error', path, `it has ${size} bytes: at most ${MAX_BODY} are sent`);
  // Nothing at all is no base64 either; `string: ""` is an empty body.
  if (bytes !== undefined && !BASE64.test(bytes))
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'bytes'], `${JSON.stringify(bytes.slice(0, 80))} is no base64`);
}

/** Of the API server, for fields of the format `byte`. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;

/** The host that is called is said once. */
function checkAuthority({ rewrite, headers }: HTTPRoute, path: Path, report: Report): void {
  const { set = {}, add = {} } = headers?.request ?? {};
  const operations = [...Object.entries(set), ...Object.entries(add)].filter(([name]) => isAuthority(name));
  const said = [rewrite?.authority ?? '', ...operations.map(([, value]) => value)];
  if (said.slice(0, -1).every((value) => value === '')) return;
  const shown = said.filter((value) => value !== '').map((value) => JSON.stringify(value));
  report('RIPSTOP_BAD_VALUE', 'error', [...path, 'headers'], `the authority is set several times (${shown.join(', ')}): set it once`);
}
