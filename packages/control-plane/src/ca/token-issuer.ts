import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Istio's audience for tokens that a CA takes. */
const AUDIENCE = 'istio-ca';
const ISSUER = 'ripstop';
const KEY_FILE = 'token-key';

/** Who a token speaks for. */
export interface WorkloadAccount {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface TokenIssuer {
  /** A join token (JWT, HS256). Secret: hand it to the workload only. */
  issue(options: WorkloadAccount & { readonly ttlSeconds: number }): string;
  /** Throws, saying why, for anything but a token of this issuer that is still valid. */
  verify(token: string): WorkloadAccount;
}

interface Claims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly aud?: unknown;
  readonly exp?: unknown;
}

/** Join tokens for self-registered workloads. The key stays beside the CA's, so that tokens outlive a restart of the control plane. */
export function createTokenIssuer({ stateDir, now = Date.now }: { readonly stateDir?: string; readonly now?: () => number }): TokenIssuer {
  const key = loadKey(stateDir);
  const signature = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return {
    issue: ({ namespace, serviceAccount, ttlSeconds }) => {
      const seconds = Math.floor(now() / 1000);
      const claims = {
        iss: ISSUER,
        sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
        aud: [AUDIENCE],
        iat: seconds,
        exp: seconds + ttlSeconds,
        jti: randomUUID(),
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
  };
}

function accountOf(claims: Claims, nowMs: number): WorkloadAccount {
  if (claims.iss !== ISSUER || !Array.isArray(claims.aud) || !claims.aud.includes(AUDIENCE))
    throw new Error('the token is for somebody else');
  if (typeof claims.exp !== 'number' || claims.exp * 1000 <= nowMs) throw new Error('the token has expired');
  const match = typeof claims.sub === 'string' ? /^system:serviceaccount:([^:]+):([^:]+)$/.exec(claims.sub) : null;
  if (match === null) throw new Error('the token names no service account');
  return { namespace: match[1]!, serviceAccount: match[2]! };
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
