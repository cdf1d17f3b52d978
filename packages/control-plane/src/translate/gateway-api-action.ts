import { RouteAction_ClusterNotFoundResponseCode } from '@ripstop/xds-api';
import type { ActionFields, RouteFields } from './route-scope.ts';

/**
 * What the Gateway API means otherwise than a VirtualService: a backend that does not exist is a 500, and a prefix that is replaced by
 * `/` must not leave two slashes (`/api/x` becomes `/x`).
 */
export function asGatewayApi(
  made: RouteFields['action'],
  { pathSpecifier: path }: NonNullable<RouteFields['match']>,
): RouteFields['action'] {
  if (made?.$case !== 'route') return made;
  const clusterNotFoundResponseCode = RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR;
  const { prefixRewrite, ...rest }: ActionFields = made.value ?? {};
  if (prefixRewrite !== '/') return { $case: 'route', value: { ...made.value, clusterNotFoundResponseCode } };
  const prefix = path?.$case === 'pathSeparatedPrefix' ? (path.value ?? '') : '';
  const regexRewrite = { pattern: { regex: `^${escapeRegex(prefix)}(/?)(.*)` }, substitution: '/\\2' };
  return { $case: 'route', value: { ...rest, regexRewrite, clusterNotFoundResponseCode } };
}

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
