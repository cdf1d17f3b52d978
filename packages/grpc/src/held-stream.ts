import type { Readable } from 'node:stream';
import type grpc from '@grpc/grpc-js';
import { type BodyStart, BodyWait, type BodyWaitOptions } from '@ripstop/core';

type Listener = (...args: unknown[]) => void;

/**
 * The bytes of a call that a server gets, held back while filters look at them: grpc-js hears of them when the call is let pass, of a
 * call that is refused never. grpc-js shows its interceptors decoded messages only, and no stream.
 */
export class HeldStream {
  readonly #stream: Readable;
  readonly #onData: readonly Listener[];
  readonly #onEnd: readonly Listener[];
  readonly #held: Buffer[] = [];
  #bytes = 0;
  #ended: boolean;
  /** grpc-js has heard of the end already. */
  readonly #endTold: boolean;
  #wait: BodyWait | undefined;

  /** Undefined where grpc-js has no stream at the place that is known: nothing can be shown then. */
  static of(call: grpc.ServerInterceptingCallInterface): HeldStream | undefined {
    const stream = streamOf(call);
    return stream === undefined ? undefined : new HeldStream(stream);
  }

  private constructor(stream: Readable) {
    this.#stream = stream;
    this.#ended = stream.readableEnded;
    this.#endTold = this.#ended;
    this.#onData = takeListeners(stream, 'data');
    this.#onEnd = takeListeners(stream, 'end');
    stream.on('data', this.#hold);
    stream.on('end', this.#close);
  }

  /** Until more than `bytes` are here, or all there is. One at a time. */
  read(bytes: number, options: BodyWaitOptions): Promise<BodyStart | undefined> {
    const wait = new BodyWait(bytes, options);
    this.#wait = wait;
    if (!this.#settle()) this.#stream.resume();
    return wait.start;
  }

  /** The call goes on: grpc-js is told what came, and hears the rest by itself. */
  release(): void {
    const stream = this.#stream;
    stream.pause();
    this.#letGo();
    for (const listener of this.#onData) stream.on('data', listener);
    for (const listener of this.#onEnd) stream.on('end', listener);
    for (const chunk of this.#held) for (const listener of this.#onData) listener.call(stream, chunk);
    if (this.#ended && !this.#endTold) for (const listener of this.#onEnd) listener.call(stream);
    this.#held.length = 0;
  }

  /** The call is over: what still comes is for nobody. */
  end(): void {
    this.#letGo();
    this.#held.length = 0;
    this.#wait?.end(undefined);
  }

  readonly #hold = (chunk: Buffer): void => {
    this.#held.push(chunk);
    this.#bytes += chunk.length;
    this.#wait?.touch();
    if (this.#settle()) this.#stream.pause();
  };

  /** A connection that is lost looks like an end, and says only behind it what it was. */
  readonly #close = (): void => {
    this.#ended = true;
    setImmediate(() => {
      if ((this.#stream as { readonly aborted?: boolean }).aborted === true) this.#wait?.end(undefined);
      else this.#settle();
    });
  };

  #settle(): boolean {
    const wait = this.#wait;
    if (wait === undefined || (this.#bytes <= wait.limit && !this.#ended)) return false;
    this.#wait = undefined;
    wait.end({ bytes: Buffer.concat(this.#held), complete: this.#ended });
    return true;
  }

  #letGo(): void {
    this.#stream.off('data', this.#hold);
    this.#stream.off('end', this.#close);
  }
}

function takeListeners(stream: Readable, event: 'data' | 'end'): Listener[] {
  const listeners = stream.listeners(event) as Listener[];
  for (const listener of listeners) stream.off(event, listener);
  return listeners;
}

/** Of the call itself: interceptors of credentials stand before those that the app has. */
function streamOf(call: object): Readable | undefined {
  const { stream } = call as { readonly stream?: Partial<Readable> };
  return stream !== undefined && typeof stream.resume === 'function' && 'session' in stream ? (stream as Readable) : undefined;
}
