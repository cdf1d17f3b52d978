import type { IncomingMessage } from 'node:http';
import type { BodyStart } from '@ripstop/core';

type Push = IncomingMessage['push'];

/**
 * Reads a request's body until more than `limit` bytes are here, or all of it. Nothing is lost to whoever reads it afterwards: chunks are
 * held back where the parser hands them over, and passed on when the start is known.
 */
export function readBodyStart(request: IncomingMessage, limit: number): Promise<BodyStart> {
  const early = takeEarly(request);
  if (request.complete) {
    // Put back within the same tick: the stream has not told its end yet.
    if (early.length > 0) request.unshift(early);
    return Promise.resolve({ bytes: early, complete: true });
  }
  if (early.length > limit) {
    request.unshift(early);
    return Promise.resolve({ bytes: early, complete: false });
  }
  return new Promise((resolve) => new HeldBody(request, early, limit, resolve));
}

/** What the stream holds already. */
function takeEarly(request: IncomingMessage): Buffer {
  if (request.readableLength === 0) return EMPTY;
  return (request.read() as Buffer | null) ?? EMPTY;
}

const EMPTY: Buffer = Buffer.alloc(0);

class HeldBody {
  readonly #request: IncomingMessage;
  readonly #push: Push;
  readonly #limit: number;
  readonly #resolve: (start: BodyStart) => void;
  readonly #held: Buffer[] = [];
  #bytes = 0;

  constructor(request: IncomingMessage, early: Buffer, limit: number, resolve: (start: BodyStart) => void) {
    this.#request = request;
    this.#push = request.push;
    this.#limit = limit;
    this.#resolve = resolve;
    if (early.length > 0) this.#hold(early);
    request.push = (chunk: Buffer | null) => this.#onChunk(chunk);
    request.once('close', this.#onClose);
  }

  #onChunk(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#release(true);
      return this.#push.call(this.#request, null);
    }
    this.#hold(chunk);
    return this.#bytes > this.#limit ? this.#release(false) : true;
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The caller went away. */
  readonly #onClose = (): void => {
    this.#release(false);
  };

  #release(complete: boolean): boolean {
    const request = this.#request;
    request.off('close', this.#onClose);
    request.push = this.#push;
    let more = true;
    for (const chunk of this.#held) more = this.#push.call(request, chunk);
    this.#resolve({ bytes: Buffer.concat(this.#held), complete });
    return more;
  }
}
