import { RouteConfiguration } from '@ripstop/xds-api';

/**
 * A RouteConfiguration of RDS, in one version. A decoded one of thousands of routes takes more memory than the table that is made of it,
 * and is needed again only when a listener changes: it is kept while others hold it, and decoded anew when it is gone.
 */
export class ReceivedRoutes {
  /** Its hosts come one by one (VHDS). */
  readonly onDemand: boolean;
  readonly #body: Uint8Array;
  #message: WeakRef<RouteConfiguration>;

  constructor(body: Uint8Array, message: RouteConfiguration) {
    this.onDemand = message.vhds !== undefined;
    this.#body = body;
    this.#message = new WeakRef(message);
  }

  /** The same object until the current turn of the event loop ends. */
  get message(): RouteConfiguration {
    const kept = this.#message.deref();
    if (kept !== undefined) return kept;
    const message = RouteConfiguration.decode(this.#body);
    this.#message = new WeakRef(message);
    return message;
  }
}
