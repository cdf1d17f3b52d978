import type { KeySet } from './jwks.ts';
import type { Jwt } from './jwt.ts';
import type { JwtStatus } from './jwt-status.ts';
import type { TokenPlaces } from './token-places.ts';

/** One issuer whose tokens a workload accepts: Envoy's JwtProvider. */
export interface Provider {
  readonly name: string;
  /** '' accepts every issuer. */
  readonly issuer: string;
  /** Without scheme and trailing slash; empty = any. */
  readonly audiences: ReadonlySet<string>;
  /** Undefined = keys that the data plane would have to fetch, which it never does: its tokens are refused. */
  readonly keys: KeySet | undefined;
  readonly places: TokenPlaces;
  /** Accepted tokens stay in the request. */
  readonly forward: boolean;
  /** '' = not passed on. */
  readonly payloadHeader: string;
  readonly payloadPadded: boolean;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: readonly string[] }[];
  /** Keys of the dynamic metadata; '' = none. */
  readonly payloadMetadata: string;
  readonly headerMetadata: string;
  /** Routes may ask for claims: they are chosen again once its token is accepted. */
  readonly clearRouteCache: boolean;
  readonly spaceDelimitedClaims: ReadonlySet<string>;
  readonly clockSkewSeconds: number;
}

/** What does not need a key, judged at each request: issuer, time, audience, in Envoy's order. */
export function judgeClaims(jwt: Jwt, provider: Provider, audiences: ReadonlySet<string> | undefined, nowSeconds: number): JwtStatus {
  const { issuer, clockSkewSeconds: skew } = provider;
  if (issuer !== '' && jwt.issuer !== issuer) return 'unknownIssuer';
  if (nowSeconds + skew < jwt.notBefore) return 'notYetValid';
  // Envoy reads `exp: 0` as "never"; whoever writes it means 1970.
  if (jwt.expires !== undefined && nowSeconds > jwt.expires + skew) return 'expired';
  const allowed = audiences ?? provider.audiences;
  if (allowed.size > 0 && !jwt.audiences.some((audience) => allowed.has(bareAudience(audience)))) return 'audienceNotAllowed';
  return 'ok';
}

/** `https://example.com/` and `example.com` are the same audience (Envoy: check_audience.cc). */
export function bareAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}
