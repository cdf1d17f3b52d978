import type { Exchange } from '../../exchange.ts';
import type { BodyStart } from '../../request-body.ts';

/** How a header is written: `set` replaces, `add` makes another line, `join` extends the value of one that is there. */
export interface HeaderWrite {
  readonly how: 'set' | 'add' | 'join' | 'if-absent' | 'if-present';
  readonly name: string;
  readonly value: string;
}

type Metadata = Readonly<Record<string, unknown>> | undefined;

/** What an authorizer says. `error`: it could not be asked, or made no sense. */
export type AuthzVerdict =
  | {
      readonly kind: 'ok';
      readonly request: readonly HeaderWrite[];
      readonly removed: readonly string[];
      readonly response: readonly HeaderWrite[];
      readonly query: { readonly set: readonly (readonly [string, string])[]; readonly removed: readonly string[] } | undefined;
      readonly metadata: Metadata;
    }
  | {
      readonly kind: 'denied';
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: string;
      /** See LocalReply. */
      readonly bytes?: Uint8Array | undefined;
      readonly metadata: Metadata;
    }
  | { readonly kind: 'error'; readonly reason: string };

/** What is shown beside the head of the request. */
export interface AuthzQuestion {
  /** Undefined: none was asked for, or there is none. */
  readonly body: { readonly bytes: Uint8Array; readonly partial: boolean; readonly received: number } | undefined;
  readonly contextExtensions: Readonly<Record<string, string>>;
}

/** Somebody who is asked about requests. Its promise never rejects. */
export interface Authorizer {
  ask(x: Exchange, question: AuthzQuestion): Promise<AuthzVerdict>;
}

/** What of a body is shown: at most `limit` bytes. Undefined: more came than may, and a part is not enough. */
export function shownBody(start: BodyStart, limit: number, allowPartial: boolean): AuthzQuestion['body'] | undefined {
  const { bytes } = start;
  if (bytes.length > limit && !allowPartial) return undefined;
  const partial = bytes.length > limit;
  return { bytes: partial ? bytes.subarray(0, limit) : bytes, partial, received: bytes.length };
}
