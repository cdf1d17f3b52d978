import type { Status } from '@ripstop/xds-api';
import type { SessionRequest, SessionResponse } from './session-messages.ts';
import type { SharedBodies } from './shared-bodies.ts';
import type { WireMessage } from './wire.ts';

/** Where responses go. */
export interface Out {
  readonly bodies: SharedBodies;
  /** Answers the bytes that it wrote. */
  readonly write: (message: WireMessage) => number;
}

/** How one protocol variant is read and written. */
export interface Codec<Request> {
  readonly stateOfTheWorld: boolean;
  /** Undefined for a request that must be dropped. */
  read(request: Request, lastNonce: string): SessionRequest | undefined;
  /** Answers the bytes that it wrote. */
  respond(response: SessionResponse): number;
}

/** The client's reasons. That error_detail is there is the one reliable sign of a NACK, whatever it holds. */
export function errorOf(detail: Status | undefined): string | undefined {
  return detail === undefined ? undefined : detail.message === '' ? `code ${detail.code}` : detail.message;
}
