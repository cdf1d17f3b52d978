import { type BodyStart, BodyWait, type BodyWaitOptions, type RequestBody } from '@ripstop/core';
import type { RequestMessages } from './request-messages.ts';

/** The messages that an app sends, while filters look at their start as it will be on the wire; all of them still go to the attempt. */
export class CallBody implements RequestBody {
  readonly #messages: RequestMessages;
  readonly #options: BodyWaitOptions;
  #wait: BodyWait | undefined;

  constructor(messages: RequestMessages, options: BodyWaitOptions) {
    this.#messages = messages;
    this.#options = options;
  }

  read(bytes: number): Promise<BodyStart | undefined> {
    const wait = new BodyWait(bytes, this.#options);
    this.#wait = wait;
    this.#look(wait);
    return wait.start;
  }

  /** A message, or the end, has come. */
  onMore(): void {
    if (this.#wait === undefined) return;
    this.#wait.touch();
    this.#look(this.#wait);
  }

  /** The call is over. */
  end(): void {
    this.#wait?.end(undefined);
    this.#wait = undefined;
  }

  #look(wait: BodyWait): void {
    const { framedBytes, complete } = this.#messages;
    if (framedBytes > wait.limit || complete) {
      this.#wait = undefined;
      wait.end({ bytes: this.#messages.framed(), complete });
    } else this.#messages.accept(); // Who sends one message after the other would wait for us.
  }
}
