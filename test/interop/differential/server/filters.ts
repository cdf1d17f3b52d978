import {
  type Any,
  Buffer,
  BufferPerRoute,
  Cors,
  ExtAuthz,
  ExtAuthzPerRoute,
  HTTPFault,
  HttpHeaderMutation,
  HttpRbac,
  JwtAuthentication,
  JwtAuthnPerRouteConfig,
  LocalRateLimit,
  packAny,
} from '@ripstop/xds-api';

/** In the order in which a chain has them. */
export type FilterName = 'jwt' | 'authz' | 'dryRun' | 'rbac' | 'mutation' | 'fault' | 'cors' | 'rateLimit' | 'buffer';
type Overridden = 'jwt' | 'authz' | 'buffer';

interface Codec {
  readonly $type: string;
  fromPartial(message: object): unknown;
}

const NAMES: Readonly<Record<FilterName, string>> = {
  jwt: 'envoy.filters.http.jwt_authn',
  authz: 'envoy.filters.http.ext_authz',
  dryRun: 'dry-run',
  rbac: 'envoy.filters.http.rbac',
  mutation: 'envoy.filters.http.header_mutation',
  fault: 'envoy.filters.http.fault',
  cors: 'envoy.filters.http.cors',
  rateLimit: 'envoy.filters.http.local_ratelimit',
  buffer: 'envoy.filters.http.buffer',
};

const CODECS: Readonly<Record<FilterName, Codec>> = {
  jwt: JwtAuthentication,
  authz: ExtAuthz,
  dryRun: HttpRbac,
  rbac: HttpRbac,
  mutation: HttpHeaderMutation,
  fault: HTTPFault,
  cors: Cors,
  rateLimit: LocalRateLimit,
  buffer: Buffer,
};

const OVERRIDES: Readonly<Record<Overridden, Codec>> = { jwt: JwtAuthnPerRouteConfig, authz: ExtAuthzPerRoute, buffer: BufferPerRoute };

export const FILTER_NAMES: readonly FilterName[] = Object.keys(NAMES) as FilterName[];

/** Name in a listener, and configuration. */
export function filterOf(name: FilterName, message: object): { readonly name: string; readonly config: Any } {
  return { name: NAMES[name], config: packed(CODECS[name], message) };
}

/** What a route says to a filter. */
export function overrideOf(name: Overridden, message: object): Record<string, Any> {
  return { [NAMES[name]]: packed(OVERRIDES[name], message) };
}

function packed(codec: Codec, message: object): Any {
  return packAny(codec as typeof HttpRbac, codec.fromPartial(message) as HttpRbac);
}
