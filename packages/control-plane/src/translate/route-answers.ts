import type { HTTPDirectResponse, HTTPRedirect } from '@ripstop/istio-api';
import { RedirectAction_RedirectResponseCode } from '@ripstop/xds-api';
import type { RouteFields, RouteScope } from './route-scope.ts';

export function directResponse({ status, body }: HTTPDirectResponse): RouteFields['action'] {
  if (body?.bytes !== undefined) {
    const value = Buffer.from(body.bytes, 'base64');
    return { $case: 'directResponse', value: { status, body: { specifier: { $case: 'inlineBytes', value } } } };
  }
  const text = body?.string;
  return {
    $case: 'directResponse',
    value: { status, ...(text === undefined ? {} : { body: { specifier: { $case: 'inlineString', value: text } } }) },
  };
}

const REDIRECT_CODES: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

export function redirect(spec: HTTPRedirect, scope: RouteScope): RouteFields['action'] {
  return {
    $case: 'redirect',
    value: {
      hostRedirect: spec.authority ?? '',
      pathRewriteSpecifier:
        (spec.prefixRewrite ?? '') === ''
          ? { $case: 'pathRedirect', value: spec.uri ?? '' }
          : { $case: 'prefixRewrite', value: spec.prefixRewrite! },
      responseCode: REDIRECT_CODES[spec.redirectCode ?? 301] ?? RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
      portRedirect: redirectPort(spec, scope),
      ...(spec.scheme === undefined || spec.scheme === ''
        ? {}
        : { schemeRewriteSpecifier: { $case: 'schemeRedirect', value: spec.scheme } }),
    },
  };
}

/** A port that the scheme implies is not written out. */
function redirectPort({ port, derivePort, scheme = '' }: HTTPRedirect, { listenPort, tls = false }: RouteScope): number {
  const number = port ?? (derivePort === 'FROM_REQUEST_PORT' ? listenPort : 0);
  const spoken = scheme === '' ? (tls ? 'https' : 'http') : scheme;
  return (number === 80 && spoken === 'http') || (number === 443 && spoken === 'https') ? 0 : number;
}
