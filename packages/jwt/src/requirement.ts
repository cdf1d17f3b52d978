import type { Exchange } from '@ripstop/core';
import type { KeySet } from './jwks.ts';
import { type Jwt, parseJwt } from './jwt.ts';
import type { JwtFailure, JwtStatus } from './jwt-status.ts';
import { judgeClaims, type Provider } from './provider.ts';
import { type FoundToken, findTokens } from './token-places.ts';
import type { VerifiedTokensByKeys } from './verified-tokens.ts';

/** What a rule asks for: Envoy's JwtRequirement. */
export type Requirement =
  | { readonly kind: 'provider'; readonly provider: Provider; readonly audiences: ReadonlySet<string> | undefined }
  | { readonly kind: 'any'; readonly of: readonly Requirement[]; readonly allow: 'nothing' | 'missing' | 'missing-or-failed' }
  | { readonly kind: 'all'; readonly of: readonly Requirement[] }
  /** Tokens of these providers may be absent, but not wrong; `failed` = they may be wrong as well. */
  | { readonly kind: 'optional'; readonly providers: readonly Provider[]; readonly failed: boolean }
  | { readonly kind: 'none' };

/** A token that counts: whose it is and where it stood. */
export interface AcceptedToken {
  readonly provider: Provider;
  readonly jwt: Jwt;
  readonly place: FoundToken['place'];
}

export interface Verdict {
  readonly status: JwtStatus;
  /** In the order in which they were judged; the last one gives the principal. */
  readonly accepted: readonly AcceptedToken[];
}

const NOTHING: readonly AcceptedToken[] = [];

/**
 * The judging of one request. `judge` is synchronous and changes nothing; when it needs a signature that nobody has verified yet it
 * answers undefined, and is asked again after `verified()`.
 */
export class Judgement {
  private readonly x: Exchange;
  private readonly cache: VerifiedTokensByKeys;
  private readonly nowSeconds: number;
  private readonly parsed = new Map<string, Jwt | JwtFailure>();
  private readonly signatures = new Map<KeySet, Map<string, JwtStatus>>();
  private pending: Promise<void> | undefined;

  constructor(x: Exchange, cache: VerifiedTokensByKeys, nowSeconds: number) {
    this.x = x;
    this.cache = cache;
    this.nowSeconds = nowSeconds;
  }

  /** Resolves when the signature that `judge` stopped at has been verified. */
  async verified(): Promise<void> {
    await this.pending;
    this.pending = undefined;
  }

  judge(requirement: Requirement): Verdict | undefined {
    switch (requirement.kind) {
      case 'none':
        return { status: 'ok', accepted: NOTHING };
      case 'provider':
        return this.judgeProvider(requirement.provider, requirement.audiences);
      case 'all':
        return this.judgeAll(requirement.of);
      case 'any':
        return this.judgeAny(requirement.of, requirement.allow);
      case 'optional':
        return this.judgeOptional(requirement.providers, requirement.failed);
    }
  }

  /** One must hold. Of several failures that of a real token is told rather than that another one is missing (Envoy). */
  private judgeAny(of: readonly Requirement[], allow: 'nothing' | 'missing' | 'missing-or-failed'): Verdict | undefined {
    let told: JwtStatus = 'missing';
    for (const requirement of of) {
      const verdict = this.judge(requirement);
      if (verdict === undefined || verdict.status === 'ok') return verdict;
      if (told === 'missing' || (verdict.status !== 'missing' && verdict.status !== 'unknownIssuer')) told = verdict.status;
    }
    const allowed = allow === 'missing-or-failed' || (allow === 'missing' && told === 'missing');
    return { status: allowed ? 'ok' : told, accepted: NOTHING };
  }

  private judgeAll(of: readonly Requirement[]): Verdict | undefined {
    const accepted: AcceptedToken[] = [];
    for (const requirement of of) {
      const verdict = this.judge(requirement);
      if (verdict?.status !== 'ok') return verdict;
      accepted.push(...verdict.accepted);
    }
    return { status: 'ok', accepted };
  }

  /** Every token in the provider's places must be valid: the app might read the other one. */
  private judgeProvider(provider: Provider, audiences: ReadonlySet<string> | undefined): Verdict | undefined {
    const tokens = findTokens(this.x.request, provider.places);
    if (tokens.length === 0) return { status: 'missing', accepted: NOTHING };
    const accepted: AcceptedToken[] = [];
    for (const { token, place } of tokens) {
      const outcome = this.judgeToken(token, provider, audiences);
      if (outcome === undefined) return undefined;
      if (typeof outcome === 'string') return { status: outcome, accepted: NOTHING };
      accepted.push({ provider, jwt: outcome, place });
    }
    return { status: 'ok', accepted };
  }

  /** Each token is judged by the provider of its issuer among those that read its place. */
  private judgeOptional(providers: readonly Provider[], failed: boolean): Verdict | undefined {
    const accepted: AcceptedToken[] = [];
    for (const { token, place, readers } of this.tokensOf(providers)) {
      const jwt = this.parse(token);
      const issuer = typeof jwt === 'string' ? '' : jwt.issuer;
      const provider = readers.find((reader) => reader.issuer === issuer || reader.issuer === '') ?? readers[0]!;
      const outcome = this.judgeToken(token, provider, undefined);
      if (outcome === undefined) return undefined;
      if (typeof outcome !== 'string') accepted.push({ provider, jwt: outcome, place });
      else if (!failed) return { status: outcome, accepted: NOTHING };
    }
    return { status: 'ok', accepted };
  }

  private tokensOf(providers: readonly Provider[]): Iterable<FoundToken & { readonly readers: Provider[] }> {
    const byPlace = new Map<string, FoundToken & { readonly readers: Provider[] }>();
    for (const provider of providers) {
      for (const found of findTokens(this.x.request, provider.places)) {
        const key = `${found.place.kind} ${found.place.name} ${found.token}`;
        const known = byPlace.get(key);
        if (known === undefined) byPlace.set(key, { ...found, readers: [provider] });
        else known.readers.push(provider);
      }
    }
    return byPlace.values();
  }

  /** The token when it is valid, else why not; undefined while its signature is being verified. */
  private judgeToken(token: string, provider: Provider, audiences: ReadonlySet<string> | undefined): Jwt | JwtFailure | undefined {
    const { keys } = provider;
    const known = keys === undefined ? undefined : this.cache.of(keys).get(token, this.nowSeconds);
    const jwt = known ?? this.parse(token);
    if (typeof jwt === 'string') return jwt;
    const claims = judgeClaims(jwt, provider, audiences, this.nowSeconds);
    if (claims !== 'ok') return claims;
    if (known !== undefined) return known;
    if (keys === undefined) return 'jwksFetchFailed';
    const signature = this.signature(jwt, keys);
    return signature === undefined || signature === 'ok' ? signature && jwt : signature;
  }

  private signature(jwt: Jwt, keys: KeySet): JwtStatus | undefined {
    let known = this.signatures.get(keys);
    if (known === undefined) {
      known = new Map();
      this.signatures.set(keys, known);
    }
    const status = known.get(jwt.token);
    if (status !== undefined) return status;
    const statuses = known;
    this.pending = this.cache
      .of(keys)
      .verify(jwt)
      .then((verified) => {
        statuses.set(jwt.token, verified);
      });
    return undefined;
  }

  private parse(token: string): Jwt | JwtFailure {
    let jwt = this.parsed.get(token);
    if (jwt === undefined) {
      jwt = parseJwt(token);
      this.parsed.set(token, jwt);
    }
    return jwt;
  }
}
