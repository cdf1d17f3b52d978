import { type BodyStart, BodyWait, bodyIdleMs, type Clock, type Exchange } from '@ripstop/core';
import { type FormData, Response } from 'undici';
import { BodyTee, isReplayable } from './request-body.ts';

/** Who sends the body hears how it ends badly. */
export interface BodyOwner {
  /** Nothing came of it for too long. */
  onBodyIdle(): void;
  /** Its source broke off: the app's own fault. */
  onBodyBroken(error: Error): void;
}

/** What an app sends, while filters look at its start; all of it still goes upstream. */
export class WatchedBody {
  /** What is to be sent: as the app gave it, or, of a form, the bytes that undici would make of it. */
  body: unknown;
  /** Of a stream: what was read stands in it. */
  tee: BodyTee | undefined = undefined;
  readonly #x: Exchange;
  readonly #clock: Clock;
  readonly #owner: BodyOwner;
  #wait: BodyWait | undefined = undefined;
  #ended = false;

  constructor(body: unknown, x: Exchange, clock: Clock, owner: BodyOwner) {
    this.body = body;
    this.#x = x;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** See RequestBody. */
  async read(bytes: number): Promise<BodyStart | undefined> {
    const whole = startOfWhole(this.body, bytes);
    if (whole !== undefined) return whole;
    if (isReplayable(this.body) && !this.#openForm()) return undefined;
    this.tee ??= new BodyTee(this.body as AsyncIterable<unknown>, Number.POSITIVE_INFINITY);
    const wait = new BodyWait(bytes, {
      clock: this.#clock,
      idleMs: bodyIdleMs(this.#x),
      onIdle: () => {
        this.#owner.onBodyIdle();
        wait.end(undefined);
      },
    });
    this.#wait = wait;
    void this.#peek(this.tee, wait);
    return wait.start;
  }

  /** The request is over. */
  end(): void {
    this.#ended = true;
    this.#wait?.end(undefined);
  }

  async #peek(tee: BodyTee, wait: BodyWait): Promise<void> {
    const start = await tee.peek(wait.limit, () => wait.touch());
    if (this.#ended) return;
    if (tee.failure !== undefined) this.#owner.onBodyBroken(tee.failure);
    wait.end(tee.failure === undefined ? start : undefined);
  }

  #openForm(): boolean {
    const { headers, body } = new Response(this.body as FormData);
    const type = headers.get('content-type');
    if (body === null || type?.startsWith('multipart/form-data') !== true) return false;
    this.#x.request.setHeader('content-type', type);
    this.body = body;
    return true;
  }
}

/** Of a body that is here as a whole; undefined for a stream. */
function startOfWhole(body: unknown, limit: number): BodyStart | Promise<BodyStart> | undefined {
  if (typeof body === 'string') return { bytes: Buffer.from(body), complete: true };
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body), complete: true };
  if (ArrayBuffer.isView(body)) return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength), complete: true };
  return body instanceof Blob ? startOfBlob(body, limit) : undefined;
}

async function startOfBlob(blob: Blob, limit: number): Promise<BodyStart> {
  return { bytes: new Uint8Array(await blob.slice(0, limit + 1).arrayBuffer()), complete: blob.size <= limit };
}
