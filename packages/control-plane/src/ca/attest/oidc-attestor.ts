import { createRemoteJWKSet, decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { WorkloadAccount } from '../token-issuer.ts';
import type { TokenAttestor } from './attestation.ts';
import { parseServiceAccount } from './service-account.ts';

export interface OidcAttestorOptions {
  /** `iss` of the tokens, and where /.well-known/openid-configuration is. */
  readonly issuer: string;
  /** One of these must be in `aud`. Default `istio-ca`. */
  readonly audiences?: readonly string[];
  /** Where the keys are, when not where the issuer's configuration says. */
  readonly jwksUri?: string;
}

/** Asymmetric ones only: whoever verifies must not be able to sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Clocks differ; Istio's tolerance. */
const CLOCK_SKEW = '60s';

/** JWTs of an OpenID Connect issuer whose subject is a service account (`system:serviceaccount:<namespace>:<name>`), as istiod takes them. */
export class OidcAttestor implements TokenAttestor {
  readonly name = 'OIDC token';
  private readonly options: OidcAttestorOptions;
  private keys: Promise<JWTVerifyGetKey> | undefined;

  constructor(options: OidcAttestorOptions) {
    this.options = options;
  }

  async attest(token: string): Promise<WorkloadAccount | undefined> {
    const { issuer, audiences = ['istio-ca'] } = this.options;
    if (issuerOf(token) !== issuer) return undefined;
    const { payload } = await jwtVerify(token, await this.keySet(), {
      issuer,
      audience: [...audiences],
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_SKEW,
      requiredClaims: ['exp', 'sub'],
    });
    const account = parseServiceAccount(payload.sub);
    if (account === undefined) throw new Error('the subject of the token is no service account (system:serviceaccount:<namespace>:<name>)');
    return account;
  }

  /** Found once; a failure is tried again with the next token. */
  private keySet(): Promise<JWTVerifyGetKey> {
    this.keys ??= this.discover().catch((cause: unknown) => {
      this.keys = undefined;
      throw new Error('the keys of the token issuer cannot be had now: try again', { cause });
    });
    return this.keys;
  }

  private async discover(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUri } = this.options;
    if (jwksUri !== undefined) return createRemoteJWKSet(new URL(jwksUri));
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000), redirect: 'error' });
    if (!response.ok) throw new Error(`${url} answers ${response.status}`);
    const { issuer: named, jwks_uri: uri } = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
    // OpenID Connect Discovery 1.0 §4.3; istiod refuses as well.
    if (named !== issuer) throw new Error(`${url} is the configuration of another issuer: ${named}`);
    if (typeof uri !== 'string') throw new Error(`${url} names no jwks_uri`);
    return createRemoteJWKSet(new URL(uri));
  }
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined; // Not a JWT: somebody else's kind of token.
  }
}
