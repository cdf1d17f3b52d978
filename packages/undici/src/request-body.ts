import type { BodyStart } from '@ripstop/core';

/** Bodies that undici can send again as they are. */
export function isReplayable(body: unknown): boolean {
  if (body == null || typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  const tag = (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return tag === 'Blob' || tag === 'File' || tag === 'FormData';
}

/** Whether a request with this body has one on the wire. */
export function hasContent(body: unknown): boolean {
  return body != null && body !== '' && (body as { byteLength?: unknown }).byteLength !== 0;
}

/** The request's body could not be read to its end: the app's own fault, which it gets back unchanged. */
interface Failure {
  readonly error: Error;
}

/**
 * A body that can be read once, made readable several times as long as it fits into the limit: retries and mirrors replay what
 * was read so far and go on from the source. Over the limit the first reader goes on alone, and there is no replay any more
 * (Envoy's buffer limit). A limit below zero records nothing.
 */
export class BodyTee {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  #limit: number;
  readonly #recorded: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #overflowed: boolean;
  #pulling: Promise<void> | undefined;
  #failure: Failure | undefined;

  constructor(source: AsyncIterable<unknown> | Iterable<unknown>, limitBytes: number) {
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#limit = limitBytes;
    this.#overflowed = limitBytes < 0;
  }

  get replayable(): boolean {
    return !this.#overflowed && this.#failure === undefined;
  }

  /** Why the source broke off, if it did. */
  get failure(): Error | undefined {
    return this.#failure?.error;
  }

  /** Its source has been read to the end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Changes the limit; what is recorded already is still read from its start. */
  keep(limitBytes: number): void {
    this.#limit = limitBytes;
    if (this.#bytes > limitBytes) this.#overflowed = true;
  }

  /** Records until there is more than `limit`, or all of it; nobody reads meanwhile. `onBytes` is told of every piece. */
  async peek(limit: number, onBytes: () => void): Promise<BodyStart> {
    while (this.#bytes <= limit && !this.#ended && this.#failure === undefined) {
      await this.#record();
      onBytes();
    }
    return { bytes: Buffer.concat(this.#recorded), complete: this.#ended };
  }

  /** The whole body from its start. A mirror breaks off over the limit. */
  async *read(mirror = false): AsyncGenerator<Uint8Array, void, void> {
    for (let at = 0; ; ) {
      const chunk = this.#recorded[at];
      if (chunk !== undefined) {
        at++;
        yield chunk;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return;
      if (this.#overflowed) break;
      await this.#record();
    }
    if (mirror) throw new Error('the body is larger than the buffer limit: not mirrored');
    this.#recorded.length = 0;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** Nobody will read any more: the app's stream is told. */
  close(): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#ended = true;
    this.#recorded.length = 0;
    Promise.resolve(this.#source.return?.()).catch(() => {
      // The app's own clean-up failed after its request was over: there is nobody left to tell.
    });
  }

  /** One read of the source, shared by all who wait for it. */
  #record(): Promise<void> {
    this.#pulling ??= this.#recordOne().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #recordOne(): Promise<void> {
    try {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      this.#recorded.push(chunk);
      this.#bytes += chunk.byteLength;
      if (this.#bytes > this.#limit) this.#overflowed = true;
    } catch {
      // Kept in #failure; every reader throws it.
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#ended = true;
        return undefined;
      }
      return bytesOf(value);
    } catch (error) {
      this.#failure = { error: error instanceof Error ? error : new Error(String(error)) };
      throw this.#failure.error;
    }
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk);
  throw new TypeError('a request body stream must yield strings, Buffers or Uint8Arrays');
}
