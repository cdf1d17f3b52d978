import type { Duplex } from 'node:stream';
import { type Clock, type LocalReply, requestHeadersTimeoutReply, requestTimeoutReply, type Timer } from '@ripstop/core';
import type { InboundConnection } from './inbound-connection.ts';

/**
 * Counts the time from a request's first byte on an HTTP/1 connection to the end of its head (request_headers_timeout, and request_timeout,
 * which goes on from there). Watching bytes costs node:http its fast path: only where a limit is set.
 */
export class HeadTimer {
  private readonly connection: InboundConnection;
  private readonly clock: Clock;
  private readonly limitMs: number;
  private readonly late: LocalReply;
  private readonly onLate: (reply: LocalReply) => void;
  private timer: Timer | undefined;
  /** A request has begun in the bytes that are being read. */
  private began = false;
  /** The bytes that come next are of a request whose head was complete. */
  private inBody = false;

  /** Undefined where there is no limit. */
  static of(connection: InboundConnection, clock: Clock, onLate: (reply: LocalReply) => void): HeadTimer | undefined {
    const { requestHeadersTimeoutMs: head = 0, requestTimeoutMs: whole = 0 } = connection.currentManager ?? {};
    if (head <= 0 && whole <= 0) return undefined;
    const headFirst = head > 0 && (whole <= 0 || head <= whole);
    return new HeadTimer(
      connection,
      clock,
      headFirst ? head : whole,
      headFirst ? requestHeadersTimeoutReply() : requestTimeoutReply(),
      onLate,
    );
  }

  private constructor(connection: InboundConnection, clock: Clock, limitMs: number, late: LocalReply, onLate: (reply: LocalReply) => void) {
    this.connection = connection;
    this.clock = clock;
    this.limitMs = limitMs;
    this.late = late;
    this.onLate = onLate;
  }

  /** Behind node:http's own listeners: it has read the bytes before they are looked at here. */
  watch(socket: Duplex): void {
    socket.on('data', () => this.onBytes());
    socket.once('close', () => this.timer?.cancel());
  }

  /** A head is complete. */
  onRequest(): void {
    this.began = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private onBytes(): void {
    const { began, inBody } = this;
    this.began = false;
    this.inBody = this.connection.latest?.receiving === true;
    // Of a body, or with a whole head in them.
    if (began || inBody || this.timer !== undefined) return;
    this.timer = this.clock.setTimer(() => {
      this.timer = undefined;
      this.onLate(this.late);
    }, this.limitMs);
  }
}
