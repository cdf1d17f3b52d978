import type { EncodedResource } from './encoded-resource.ts';

/** A resource that still holds, in a version that the client has taken. */
export interface Beat {
  readonly name: string;
  readonly version: string;
}

/** One response, before its protocol variant encodes it. */
export interface SessionResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** A digest of everything that the client has of this type with this response. */
  readonly version: string;
  /** What changed. */
  readonly changed: readonly EncodedResource[];
  /** Everything that the client should have (state of the world of CDS and LDS). */
  readonly all: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** How long the client keeps what it is sent without hearing of it; undefined: for ever. */
  readonly ttlMs?: number;
  readonly beats?: readonly Beat[];
}

/** One request, whatever its protocol variant. */
export interface SessionRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Delta: versions that a reconnecting client holds. */
  readonly initialVersions: Readonly<Record<string, string>>;
  readonly nonce: string;
  /** The client's reasons, when it refuses the response of `nonce`. */
  readonly error: string | undefined;
}

/** A resource that the client does not take; its last good version is in force there. */
export interface Refusal {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
}

/** A resource that a client was sent. */
export interface HeldResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  /** `sent`: no answer yet. */
  readonly state: 'taken' | 'sent' | 'refused';
  /** What the client said when it refused this or an earlier version. */
  readonly refusal?: Refusal | undefined;
}

/** What was sent of one type, and what the client said to it. */
export interface TypeStatus {
  readonly typeUrl: string;
  /** Nonces of the last response and of the last one that was answered. */
  readonly sent: string;
  readonly answered: string;
  readonly version: string;
  readonly refused: readonly Refusal[];
  /** Reason of the first refusal; '' when everything was taken. */
  readonly nack: string;
}
