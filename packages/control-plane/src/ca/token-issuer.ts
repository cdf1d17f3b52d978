import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseServiceAccount } from './attest/service-account.ts';
import { SpentTokens } from './spent-tokens.ts';

/** Istio's audience for tokens that a CA takes. */
const AUDIENCE = 'istio-ca';
const ISSUER = 'ripstop';
const KEY_FILE = 'token-key';

/** Who a token speaks for. */
export interface WorkloadAccount {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The labels that it may have as a workload, and must have; undefined = any. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface TokenIssuer {
  /** A join token (JWT, HS256). Secret: hand it to the workload only. */
  issue(options: WorkloadAccount & { readonly ttlSeconds: number; readonly singleUse?: boolean }): string;
  /** Whether a token says that it is of this kind; nothing is verified. */
  isOwn(token: string): boolean;
  /** Throws, saying why, for anything but a token of this issuer that is still valid. */
  verify(token: string): VerifiedToken;
  /** Spends a single-use token. Throws when it was spent before: two who show one token are one too many. */
  redeem(singleUse: string): void;
}

export interface VerifiedToken extends WorkloadAccount {
  /** Set for a token that is good for one certificate; hand it to `redeem`. */
  readonly singleUse: string | undefined;
}

interface Claims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly aud?: unknown;
  readonly exp?: unknown;
  readonly jti?: unknown;
  readonly use?: unknown;
  readonly labels?: unknown;
}

/** Join tokens for self-registered workloads. The key stays beside the CA's, so that tokens outlive a restart of the control plane. */
export function createTokenIssuer({ stateDir, now = Date.now }: { readonly stateDir?: string; readonly now?: () => number }): TokenIssuer {
  const key = loadKey(stateDir);
  const spent = new SpentTokens(stateDir, now);
  const signature = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return {
    issue: ({ namespace, serviceAccount, labels, ttlSeconds, singleUse = false }) => {
      const seconds = Math.floor(now() / 1000);
      const claims = {
        iss: ISSUER,
        sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
        aud: [AUDIENCE],
        iat: seconds,
        exp: seconds + ttlSeconds,
        jti: randomUUID(),
        ...(singleUse ? { use: 'once' } : {}),
        ...(labels === undefined ? {} : { labels }),
      };
      const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
      return `${text}.${signature(text).toString('base64url')}`;
    },
    verify: (token) => {
      const [header, payload, mac, ...rest] = token.split('.');
      if (!header || !payload || !mac || rest.length > 0) throw new Error('the token is no JWT');
      const expected = signature(`${header}.${payload}`);
      const given = Buffer.from(mac, 'base64url');
      // The algorithm is ours, whatever the header says.
      if (given.length !== expected.length || !timingSafeEqual(given, expected))
        throw new Error('the token was not made by this control plane');
      return accountOf(decode(payload), now());
    },
    isOwn: (token) => {
      const [, payload] = token.split('.');
      if (!payload) return true; // No JWT: `verify` says so.
      try {
        return decode(payload).iss === ISSUER;
      } catch {
        return true;
      }
    },
    redeem: (singleUse) => {
      const at = singleUse.lastIndexOf(' ');
      if (!spent.take(singleUse.slice(0, at), Number(singleUse.slice(at + 1)) * 1000))
        throw new Error('the join token was used before, and is good for one certificate: ask for another, and find out who used this one');
    },
  };
}

function accountOf(claims: Claims, nowMs: number): VerifiedToken {
  if (claims.iss !== ISSUER || !Array.isArray(claims.aud) || !claims.aud.includes(AUDIENCE))
    throw new Error('the token is for somebody else');
  if (typeof claims.exp !== 'number' || claims.exp * 1000 <= nowMs) throw new Error('the token has expired');
  const account = parseServiceAccount(claims.sub);
  if (account === undefined) throw new Error('the token names no service account');
  const labels = boundLabels(claims.labels);
  return {
    ...account,
    ...(labels === undefined ? {} : { labels }),
    singleUse: claims.use === 'once' ? `${claims.jti} ${claims.exp}` : undefined,
  };
}

function boundLabels(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Object.values(value).some((label) => typeof label !== 'string'))
    throw new Error('the labels of the token cannot be read');
  return value as Record<string, string>;
}

function loadKey(stateDir: string | undefined): Buffer {
  if (stateDir === undefined) return randomBytes(32);
  const file = join(stateDir, KEY_FILE);
  if (!existsSync(file)) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 });
  }
  return Buffer.from(readFileSync(file, 'utf8'), 'base64');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string): Claims {
  const claims: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
  return typeof claims === 'object' && claims !== null ? claims : {};
}
