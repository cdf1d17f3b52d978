import { publicKeysOf } from '@ripstop/istio-api';
import type { Get } from './guarded-get.ts';
import type { JwksSource } from './jwks-source.ts';

/** The public keys behind a source, as a JWKS with nothing else in it. Rejects with the reason. */
export async function fetchJwks({ uri, issuer, timeoutMs }: JwksSource, get: Get): Promise<string> {
  const location = uri ?? (await discover(issuer, timeoutMs, get));
  return JSON.stringify({ keys: publicKeysOf(await get(location, timeoutMs)) });
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(issuer: string, timeoutMs: number, get: Get): Promise<string> {
  const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  if (!URL.canParse(at)) throw new Error(`the issuer is no URL where an OpenID configuration could be: give jwksUri or jwks`);
  const { jwks_uri: uri } = JSON.parse(await get(at, timeoutMs)) as { readonly jwks_uri?: unknown };
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error(`${at} names no jwks_uri`);
  return uri;
}
