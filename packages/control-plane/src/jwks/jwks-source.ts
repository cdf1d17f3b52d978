import { type JWTRule, type MeshObject, parseDuration, type RequestAuthenticationSpec } from '@ripstop/istio-api';

/** Where an issuer's keys are: at a URL, or where its OpenID configuration says. */
export interface JwksSource {
  /** The URL, or `discover <issuer>`. */
  readonly key: string;
  readonly issuer: string;
  /** Undefined = by discovery. */
  readonly uri: string | undefined;
  readonly timeoutMs: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** Whatever a document says: a fetch must end. */
const MAX_TIMEOUT_MS = 30_000;

/** Undefined for a rule that brings its keys along. */
export function jwksSourceOf({ issuer, jwks = '', jwksUri, jwks_uri: olderSpelling, timeout }: JWTRule): JwksSource | undefined {
  if (jwks !== '') return undefined;
  const uri = jwksUri ?? olderSpelling;
  const timeoutMs = Math.min((timeout === undefined ? undefined : parseDuration(timeout)) ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS);
  return { key: uri ?? `discover ${issuer}`, issuer, uri, timeoutMs };
}

/** Every source that documents name, once. */
export function jwksSources(objects: readonly MeshObject[]): ReadonlyMap<string, JwksSource> {
  const found = new Map<string, JwksSource>();
  for (const { kind, spec } of objects) {
    if (kind !== 'RequestAuthentication') continue;
    for (const rule of (spec as RequestAuthenticationSpec | undefined)?.jwtRules ?? []) {
      const source = jwksSourceOf(rule);
      if (source !== undefined && !found.has(source.key)) found.set(source.key, source);
    }
  }
  return found;
}
