import type { Socket } from 'node:net';
import { ConnectionAdmission } from './connection-admission.ts';
import type { Peer } from './exchange.ts';
import type { Clock } from './ports.ts';
import type { FilterChain, Snapshot } from './snapshot.ts';
import { createTcpExchange } from './tcp-proxy.ts';

/** A connection that waits for the filters in front of its connection manager. */
export interface JudgedConnection {
  readonly socket: Pick<Socket, 'destroyed' | 'once' | 'on'>;
  readonly chain: Pick<FilterChain, 'admission' | 'http'>;
  readonly snapshot: Snapshot;
  readonly peer: Peer;
  /** Of the listener. */
  readonly port: number;
}

/** What a judgement tells: one of the two is called, once, and neither when the caller has gone. */
export interface JudgementListener {
  passed(): void;
  /** `why`: Envoy's details. The socket is the callee's. */
  denied(why: string): void;
}

/** Asks the network filters of a chain about a connection; they hear of its end. Without any it passes at once. */
export function judgeConnection(
  { socket, chain, snapshot, peer, port }: JudgedConnection,
  clock: Clock,
  tell: (line: string) => void,
  listener: JudgementListener,
): void {
  const { admission: filters, http: manager } = chain;
  if (filters === undefined || manager === undefined) {
    listener.passed();
    return;
  }
  const x = createTcpExchange({ proxy: { manager }, snapshot, peer, port, startedAt: clock.now() });
  const admission = new ConnectionAdmission(filters.filters, x, tell);
  socket.once('close', () => admission.end({ status: 0, grpcStatus: undefined, requestBytes: 0, responseBytes: 0, endedAt: clock.now() }));
  // Nobody reads yet: without a listener an error would end the process.
  socket.on('error', ignore);
  admission.judge((denied) => {
    if (socket.destroyed) return;
    if (denied === undefined) listener.passed();
    else listener.denied(denied.details);
  });
}

function ignore(): void {}
