import type { Exchange, Outcome } from '@ripstop/core';
import { Cells, type Labels, TcpCell } from './cell.ts';
import { LabelMaker, type TelemetryNode } from './labels.ts';
import { cellFinder, overridesOf } from './metric-plan.ts';

/** Bytes of a connection that were counted already. */
interface Counted {
  readonly soFar: () => Outcome;
  sentBytes: number;
  receivedBytes: number;
}

/**
 * Istio's standard metrics of connections that carry bytes. Those of open connections are counted when somebody looks; istio.stats does
 * it every few seconds.
 */
export class ConnectionMetrics {
  private readonly counts = new Cells((labels) => new TcpCell(labels));
  private readonly labels: LabelMaker;
  private readonly running = new Map<Exchange, Counted>();

  constructor(node: TelemetryNode) {
    this.labels = new LabelMaker(node);
  }

  open(x: Exchange, soFar: () => Outcome): void {
    this.running.set(x, { soFar, sentBytes: 0, receivedBytes: 0 });
    this.cellOf('tcp_connections_opened_total', x, soFar(), (cell) => cell.opened++);
  }

  /** A connection that reached nobody is counted at its end, as opened and closed. */
  close(x: Exchange, outcome: Outcome): void {
    if (!this.running.has(x)) this.open(x, () => outcome);
    this.countBytes(x, outcome, this.running.get(x)!);
    this.running.delete(x);
    this.cellOf('tcp_connections_closed_total', x, outcome, (cell) => cell.closed++);
  }

  /** As they are now. */
  cells(): Iterable<TcpCell> {
    for (const [x, counted] of this.running) this.countBytes(x, counted.soFar(), counted);
    return this.counts.values();
  }

  private countBytes(x: Exchange, outcome: Outcome, counted: Counted): void {
    const sent = outcome.responseBytes - counted.sentBytes;
    const received = outcome.requestBytes - counted.receivedBytes;
    counted.sentBytes = outcome.responseBytes;
    counted.receivedBytes = outcome.requestBytes;
    if (sent > 0) this.cellOf('tcp_sent_bytes_total', x, outcome, (cell) => (cell.sentBytes += sent));
    if (received > 0) this.cellOf('tcp_received_bytes_total', x, outcome, (cell) => (cell.receivedBytes += received));
  }

  /** Labels are made per connection and metric: there are few of either beside requests. */
  private cellOf(metric: string, x: Exchange, outcome: Outcome, add: (cell: TcpCell) => void): void {
    const labels: Labels = this.labels.outbound(x, outcome);
    const find = cellFinder(overridesOf(x.manager.metrics, metric), labels, this.counts);
    if (find !== undefined) add(find(x, outcome));
  }
}
