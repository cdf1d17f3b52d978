import type { CheckResult } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import type { ResponseHeaders } from '../response-head.ts';

/** What a host says to a check by HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly trailers: ResponseHeaders;
  readonly body: Buffer;
}

/** A check by HTTP: the request, and how its answer is judged. */
export interface Question {
  readonly request: Dispatcher.DispatchOptions;
  judge(answer: Answer): CheckResult;
}

/** True when all pieces are in the bytes, one after the other (Envoy's fuzzy match). */
export function containsInOrder(bytes: Buffer, pieces: readonly Uint8Array[]): boolean {
  let from = 0;
  for (const piece of pieces) {
    const at = bytes.indexOf(piece, from);
    if (at === -1) return false;
    from = at + piece.length;
  }
  return true;
}
