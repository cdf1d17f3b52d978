import type { KeySet } from './jwks.ts';
import type { Jwt } from './jwt.ts';
import type { JwtStatus } from './jwt-status.ts';
import { verifySignature } from './verify-signature.ts';

/** Envoy's jwt_max_token_size: longer tokens are verified each time. */
const MAX_TOKEN_LENGTH = 4096;
const MAX_TOKENS = 1000;
const MAX_KEY_SETS = 32;

/** Tokens whose signature one key set has verified. What depends on time or on the rule is judged at each request all the same. */
export class VerifiedTokens {
  private readonly keys: KeySet;
  private readonly tokens = new Map<string, Jwt>();
  private readonly pending = new Map<string, Promise<JwtStatus>>();

  constructor(keys: KeySet) {
    this.keys = keys;
  }

  /** At `nowSeconds`; an expired token is forgotten. */
  get(token: string, nowSeconds: number): Jwt | undefined {
    const jwt = this.tokens.get(token);
    if (jwt === undefined) return undefined;
    this.tokens.delete(token);
    // A minute of clock skew later nobody accepts it any more, and with a longer skew it is only verified again.
    if (jwt.expires !== undefined && jwt.expires + 60 < nowSeconds) return undefined;
    this.tokens.set(token, jwt);
    return jwt;
  }

  /** Verifies a token; several requests with the same one share the work. */
  verify(jwt: Jwt): Promise<JwtStatus> {
    const { token } = jwt;
    let pending = this.pending.get(token);
    if (pending === undefined) {
      pending = verifySignature(jwt, this.keys).then((status) => {
        this.pending.delete(token);
        if (status === 'ok') this.remember(jwt);
        return status;
      });
      this.pending.set(token, pending);
    }
    return pending;
  }

  private remember(jwt: Jwt): void {
    if (jwt.token.length > MAX_TOKEN_LENGTH) return;
    this.tokens.set(jwt.token, jwt);
    dropOldest(this.tokens, MAX_TOKENS);
  }
}

/** Verified tokens by key generation; lives as long as the mesh, across configuration pushes. New keys begin with an empty cache. */
export class VerifiedTokensByKeys {
  private readonly bySet = new Map<string, VerifiedTokens>();

  of(keys: KeySet): VerifiedTokens {
    const tokens = this.bySet.get(keys.digest) ?? new VerifiedTokens(keys);
    this.bySet.delete(keys.digest);
    this.bySet.set(keys.digest, tokens);
    dropOldest(this.bySet, MAX_KEY_SETS);
    return tokens;
  }
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  if (map.size > limit) map.delete(map.keys().next().value!);
}
