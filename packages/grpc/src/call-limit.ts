import type { Http2Server } from 'node:http2';
import type grpc from '@grpc/grpc-js';
import { type Http2Limits, http2Settings } from '@ripstop/core';

/**
 * How many calls a connection may have open at once, and how much may be sent before it is read: grpc-js takes any number of calls when the
 * app has not named one (`grpc.max_concurrent_streams`), and knows no limit per connection.
 */
export class CallLimit {
  /** What grpc-js speaks HTTP/2 with on this port alone; it does not show it. */
  readonly #http2: Http2Server;
  /** The app's own number. */
  readonly #maxConcurrentStreams: number | undefined;
  #windowBytes: number | undefined = undefined;

  /** To be made right behind the server's injector. */
  constructor(server: grpc.Server) {
    const { http2Servers, commonServerOptions } = server as unknown as Internals;
    const made = [...http2Servers.keys()].at(-1);
    if (made === undefined)
      throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere: take one that Ripstop names');
    this.#http2 = made;
    this.#maxConcurrentStreams = commonServerOptions.settings?.maxConcurrentStreams;
    made.on('session', (session) => {
      if (this.#windowBytes !== undefined) session.setLocalWindowSize(this.#windowBytes);
    });
  }

  /** For the connection that is injected next: its session takes its settings from its server when it begins. */
  set(limits: Http2Limits | undefined): void {
    this.#http2.updateSettings(http2Settings({ maxConcurrentStreams: this.#maxConcurrentStreams }, limits));
    this.#windowBytes = limits?.connectionWindowBytes;
  }
}

interface Internals {
  readonly http2Servers: Map<Http2Server, unknown>;
  readonly commonServerOptions: { readonly settings?: { readonly maxConcurrentStreams?: number } };
}
