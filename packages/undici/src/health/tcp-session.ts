import type { Socket } from 'node:net';
import type { Cancel, CheckResult, HealthCheckKind, ProbeSession } from '@ripstop/core';
import type { OpenConnection } from './health-probe.ts';
import { containsInOrder } from './question.ts';

/** More than this is not searched for what is expected. */
const MOST_BYTES = 65_536;

/** Checks of one host by TCP: it accepts, and says what is expected. Each has a connection of its own. */
export class TcpSession implements ProbeSession {
  readonly #check: Extract<HealthCheckKind, { readonly kind: 'tcp' }>;
  readonly #open: OpenConnection;
  #socket: Socket | undefined;

  constructor(check: Extract<HealthCheckKind, { readonly kind: 'tcp' }>, open: OpenConnection) {
    this.#check = check;
    this.#open = open;
  }

  ask(done: (result: CheckResult) => void): Cancel {
    let over = false;
    const settle = (result: CheckResult): void => {
      if (over) return;
      over = true;
      this.close();
      done(result);
    };
    this.#open('http1', (failure, socket) => {
      if (over) socket?.destroy();
      else if (failure !== undefined) settle({ kind: 'fail', immediate: false });
      else this.#converse(socket!, settle);
    });
    return () => {
      over = true;
      this.close();
    };
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #converse(socket: Socket, settle: (result: CheckResult) => void): void {
    const { send, receive } = this.#check;
    this.#socket = socket;
    if (send !== undefined) socket.write(send);
    if (receive.length === 0) {
      settle({ kind: 'pass', degraded: false });
      return;
    }
    let seen = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      if (containsInOrder(seen, receive)) settle({ kind: 'pass', degraded: false });
      else if (seen.length > MOST_BYTES) settle({ kind: 'fail', immediate: false });
    });
    socket.once('close', () => settle({ kind: 'fail', immediate: false }));
  }
}
