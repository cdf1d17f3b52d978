import type { IncomingMessage } from 'node:http';
import type { Http2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import type { BodyStart, Clock } from '@ripstop/core';

type Push = Readable['push'];

const EMPTY: Buffer = Buffer.alloc(0);
/** What was read before: a second filter need not wait again. */
const starts = new WeakMap<Readable, BodyStart>();

/**
 * Reads a request's body until more than `limit` bytes are here, or all of it. Nothing is lost to whoever reads it afterwards: chunks are
 * held back where the parser hands them over, and passed on when the start is known.
 */
export async function readBodyStart(stream: IncomingMessage | Readable, limit: number, onBytes?: () => void): Promise<BodyStart> {
  const known = starts.get(stream);
  if (known !== undefined && (known.complete || known.bytes.length > limit)) return known;
  const start = await startOf(stream, limit, onBytes);
  starts.set(stream, start);
  return start;
}

/** As `readBodyStart`; `onIdle` runs when the caller sends nothing for so long (0 = as long as it likes). */
export function readBodyInTime(
  stream: IncomingMessage | Readable,
  limit: number,
  { clock, idleMs, onIdle }: { readonly clock: Clock; readonly idleMs: number; readonly onIdle: () => void },
): Promise<BodyStart> {
  if (idleMs <= 0) return readBodyStart(stream, limit);
  let timer = clock.setTimer(onIdle, idleMs);
  const again = (): void => {
    timer.cancel();
    timer = clock.setTimer(onIdle, idleMs);
  };
  return readBodyStart(stream, limit, again).finally(() => timer.cancel());
}

function startOf(stream: IncomingMessage | Readable, limit: number, onBytes?: () => void): BodyStart | Promise<BodyStart> {
  const early = takeEarly(stream);
  const complete = hasEnded(stream);
  if (stream.destroyed) return { bytes: early, complete }; // The caller is gone already: nothing more comes, not even `close`.
  if (complete || early.length > limit) {
    // Put back within the same tick: the stream has not told its end yet.
    if (early.length > 0) stream.unshift(early);
    return { bytes: early, complete };
  }
  return new Promise((resolve) => new HeldBody(stream, early, limit, { resolve, onBytes }));
}

/** The end may have come together with the head: nobody tells it again. */
function hasEnded(stream: IncomingMessage | Readable): boolean {
  if ('complete' in stream) return stream.complete;
  return (stream as Partial<Http2Stream>).state?.remoteClose === 1;
}

/** What the stream holds already. */
function takeEarly(stream: Readable): Buffer {
  if (stream.readableLength === 0) return EMPTY;
  return (stream.read() as Buffer | null) ?? EMPTY;
}

interface BodyListener {
  readonly resolve: (start: BodyStart) => void;
  readonly onBytes: (() => void) | undefined;
}

class HeldBody {
  readonly #stream: Readable;
  readonly #push: Push;
  readonly #limit: number;
  readonly #listener: BodyListener;
  readonly #held: Buffer[] = [];
  #bytes = 0;

  constructor(stream: Readable, early: Buffer, limit: number, listener: BodyListener) {
    this.#stream = stream;
    this.#push = stream.push;
    this.#limit = limit;
    this.#listener = listener;
    if (early.length > 0) this.#hold(early);
    stream.push = (chunk: Buffer | null) => this.#onChunk(chunk);
    stream.once('close', this.#onClose);
    // An HTTP/2 stream sends nothing before somebody asks.
    stream.read(0);
  }

  #onChunk(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#release(true);
      return this.#push.call(this.#stream, null);
    }
    this.#hold(chunk);
    this.#listener.onBytes?.();
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
    const stream = this.#stream;
    stream.off('close', this.#onClose);
    stream.push = this.#push;
    let more = true;
    if (!stream.destroyed) for (const chunk of this.#held) more = this.#push.call(stream, chunk);
    this.#listener.resolve({ bytes: Buffer.concat(this.#held), complete });
    return more;
  }
}
