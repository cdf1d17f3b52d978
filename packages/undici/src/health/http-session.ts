import type { Cancel, CheckResult, Cluster, ProbeSession } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { Connection, type ConnectionOwner } from '../connection.ts';
import type { UpstreamProtocol } from '../mtls-connector.ts';
import type { ResponseHeaders } from '../response-head.ts';
import type { OpenConnection } from './health-probe.ts';
import type { Question } from './question.ts';

/** Envoy looks at this much of a body (response_buffer_size). */
const LOOKED_AT_BYTES = 1024;
const BROKEN: CheckResult = { kind: 'fail', immediate: false };

export interface HttpSessionInit {
  readonly question: Question;
  readonly protocol: UpstreamProtocol;
  readonly reuse: boolean;
  readonly open: OpenConnection;
  readonly cluster: Cluster;
  readonly onError: (error: Error) => void;
}

/** Checks of one host by HTTP or gRPC, on one connection that is kept between them. */
export class HttpSession implements ProbeSession, ConnectionOwner {
  readonly #init: HttpSessionInit;
  #connection: Connection | undefined;
  #asking: Asking | undefined;
  #closed = false;

  constructor(init: HttpSessionInit) {
    this.#init = init;
  }

  ask(done: (result: CheckResult) => void): Cancel {
    const asking = new Asking(this.#init.question, (result, keep) => {
      this.#asking = undefined;
      if (!keep || !this.#init.reuse) this.#drop();
      done(result);
    });
    this.#asking = asking;
    if (this.#connection !== undefined && !this.#connection.closing) this.#connection.dispatch(asking.question.request, asking);
    else this.#connect(asking);
    return () => {
      asking.cancel();
      this.#asking = undefined;
      this.#drop();
    };
  }

  close(): void {
    this.#closed = true;
    this.#asking?.cancel();
    this.#drop();
  }

  onClosed(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
  }

  #connect(asking: Asking): void {
    const { open, protocol, cluster, onError } = this.#init;
    open(protocol, (failure, socket, http2) => {
      if (failure !== undefined) {
        asking.broken();
        return;
      }
      if (this.#closed || asking.cancelled) {
        socket!.destroy();
        return;
      }
      const init = { owner: this, origin: 'http://endpoint.invalid', socket: socket!, http2, options: cluster.connection };
      this.#connection = new Connection({
        ...init,
        counter: undefined,
        generation: undefined,
        retireAt: Number.POSITIVE_INFINITY,
        onError,
      });
      this.#connection.dispatch(asking.question.request, asking);
    });
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}

/** One question on its way. */
class Asking implements Dispatcher.DispatchHandler {
  readonly question: Question;
  cancelled = false;
  readonly #settle: (result: CheckResult, keep: boolean) => void;
  #status = 0;
  #headers: ResponseHeaders = {};
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(question: Question, settle: (result: CheckResult, keep: boolean) => void) {
    this.question = question;
    this.#settle = settle;
  }

  /** Nothing more is told. */
  cancel(): void {
    this.cancelled = true;
  }

  broken(): void {
    this.#end(BROKEN, false);
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytes >= LOOKED_AT_BYTES) return;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: ResponseHeaders): void {
    const body = Buffer.concat(this.#chunks).subarray(0, LOOKED_AT_BYTES);
    const keep = !String(this.#headers.connection ?? '').includes('close');
    this.#end(this.question.judge({ status: this.#status, headers: this.#headers, trailers, body }), keep);
  }

  onResponseError(): void {
    this.broken();
  }

  #end(result: CheckResult, keep: boolean): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.#settle(result, keep);
  }
}
