import type { FilterFactory } from '@ripstop/core';
import { JwtAuthentication, JwtAuthnPerRouteConfig, typeUrlOf } from '@ripstop/xds-api';
import { decodeJwtAuthn, decodeJwtAuthnOverride } from './decode-jwt-authn.ts';
import { createJwtAuthn, type JwtAuthnConfig, type JwtAuthnOverride } from './jwt-authn.ts';

export type { JwtAuthnConfig, JwtAuthnOverride } from './jwt-authn.ts';

type Either = JwtAuthnConfig | JwtAuthnOverride;

/** RequestAuthentication: the filter `envoy.filters.http.jwt_authn`, for services and gateways. */
export const jwtAuthn: FilterFactory<Either> = {
  typeUrl: typeUrlOf(JwtAuthentication.$type),
  overrideTypeUrl: typeUrlOf(JwtAuthnPerRouteConfig.$type),
  directions: ['inbound', 'outbound'],
  decode: decodeJwtAuthn,
  decodeOverride: decodeJwtAuthnOverride,
  create: (config, override, env) =>
    config.kind === 'filter' && override?.kind !== 'filter' ? createJwtAuthn(config, override, env) : undefined,
};
