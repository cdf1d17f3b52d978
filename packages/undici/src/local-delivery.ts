import type { Dispatcher } from 'undici';
import type { UpstreamHead } from './response-head.ts';

/** A local reply on its way to the app's handler: head, body, end, each only while the app hasn't paused. */
export class LocalDelivery {
  readonly #app: Dispatcher.DispatchHandler;
  readonly #controller: Dispatcher.DispatchController;
  readonly #head: UpstreamHead;
  readonly #body: Buffer | undefined;
  /** Called before the app sees the end. */
  readonly #onEnd: (bodyBytes: number) => void;
  #step = 0;

  constructor(
    app: Dispatcher.DispatchHandler,
    controller: Dispatcher.DispatchController,
    head: UpstreamHead,
    body: Buffer | undefined,
    onEnd: (bodyBytes: number) => void,
  ) {
    this.#app = app;
    this.#controller = controller;
    this.#head = head;
    this.#body = body;
    this.#onEnd = onEnd;
  }

  /** Goes one step on. */
  next(): void {
    const step = this.#step++;
    if (step === 0) this.#app.onResponseStart?.(this.#controller, this.#head.status, this.#head.headers as never, undefined);
    else if (step === 1) {
      if (this.#body !== undefined) this.#app.onResponseData?.(this.#controller, this.#body);
    } else {
      this.#onEnd(this.#body?.byteLength ?? 0);
      this.#app.onResponseEnd?.(this.#controller, {});
    }
  }
}
