import { AsyncLocalStorage } from 'node:async_hooks';
import { constants, type ServerHttp2Session } from 'node:http2';
import type grpc from '@grpc/grpc-js';
import { type Cancel, NO_PEER, ResetBudget } from '@ripstop/core';
import { keepHeads } from './call-method.ts';
import { letGo } from './finished-streams.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { InboundCall } from './inbound-call.ts';
import { InboundConnection } from './inbound-connection.ts';
import { countResets } from './stream-budget.ts';

/** Of a call that did not come by the door: nobody knows who calls, and none of its calls is served. */
const UNKNOWN = new InboundConnection({ port: 0, tls: false, sni: '', alpn: [] }, NO_PEER);
UNKNOWN.distrusted = true;

/** Stands in front of a gRPC server's handlers: every call is an exchange, and begins only when the mesh's filters let it. */
export class InboundGuard {
  readonly parts: GrpcParts;
  readonly workloadPort: number;
  /**
   * The connection that a call came over. grpc-js does not show an interceptor the socket; HTTP/2 sessions and their streams run in the
   * async context in which the connection was handed over, so that it is found without a look-up by address (which can be reused).
   */
  readonly #connections = new AsyncLocalStorage<InboundConnection>();
  readonly #onRefused: (connection: InboundConnection) => void;
  readonly #onAbused: (connection: InboundConnection) => void;
  #stopWatching: Cancel | undefined;

  /** `onRefused`: the configuration does not take the connection any more; `onAbused`: it was ended, as its caller abused it. */
  constructor(
    parts: GrpcParts,
    workloadPort: number,
    onRefused: (connection: InboundConnection) => void = () => {},
    onAbused: (connection: InboundConnection) => void = () => {},
  ) {
    this.parts = parts;
    this.workloadPort = workloadPort;
    this.#onRefused = onRefused;
    this.#onAbused = onAbused;
  }

  readonly interceptor: grpc.ServerInterceptor = (method, call) => {
    const connection = this.#connections.getStore() ?? UNKNOWN;
    const passed: grpc.ServerInterceptingCallInterface = new InboundCall(
      this.parts,
      this.workloadPort,
      connection,
      method,
      call,
      this.#onRefused,
    );
    // Typed as the class with its private fields; what is called is the interface.
    return passed as grpc.ServerInterceptingCall;
  };

  /** Runs what hands a connection to grpc-js. */
  enter(connection: InboundConnection, hand: () => void): void {
    this.#stopWatching ??= keepHeads(
      () => this.#connections.getStore() !== undefined,
      (session) => this.#count(session),
    );
    this.#connections.run(connection, hand);
  }

  close(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #count(session: ServerHttp2Session): void {
    const connection = this.#connections.getStore()!;
    const budget = new ResetBudget(connection.suspect, () => {
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      this.#onAbused(connection);
    });
    countResets(session, budget, this.parts.clock);
    connection.goAway = () => session.close();
    session.on('stream', (stream) => {
      connection.begin();
      stream.on('close', () => {
        connection.release();
        letGo(stream);
      });
    });
  }
}
