import type { Dispatcher } from 'undici';
import type { ResponseHeaders } from './response-head.ts';

/** The exchange behind a controller. */
export interface ControlledExchange {
  readonly rawHeaders: Buffer[] | string[] | ResponseHeaders | null;
  readonly rawTrailers: Buffer[] | string[] | ResponseHeaders | null;
  readonly ended: boolean;
  onPaused(): void;
  onResumed(): void;
  onAborted(reason: Error): void;
}

/**
 * undici's controller of one exchange, whichever attempt runs; what the app's handler holds. undici's own handlers keep theirs, and
 * their objects point at those of younger requests (see Attempt), so it lets go of the exchange at its end: with it, everything that was
 * decided about a request was promoted to V8's old generation, 1.6 kB each.
 */
export class AppController implements Dispatcher.DispatchController {
  #exchange: ControlledExchange | undefined;
  #aborted = false;
  #reason: Error | null = null;
  #paused = false;

  constructor(exchange: ControlledExchange) {
    this.#exchange = exchange;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  /** null before the response and after its end. */
  get rawHeaders(): Buffer[] | string[] | ResponseHeaders | null {
    return this.#exchange?.rawHeaders ?? null;
  }

  /** null before the end of the response and after it. */
  get rawTrailers(): Buffer[] | string[] | ResponseHeaders | null {
    return this.#exchange?.rawTrailers ?? null;
  }

  pause(): void {
    this.#paused = true;
    this.#exchange?.onPaused();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#exchange?.onResumed();
  }

  /** Of an exchange that is over: nothing. */
  abort(reason: Error): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.ended) return;
    this.#aborted = true;
    this.#reason = reason ?? null;
    exchange.onAborted(reason);
  }

  /** The exchange is over. */
  letGo(): void {
    this.#exchange = undefined;
  }
}
