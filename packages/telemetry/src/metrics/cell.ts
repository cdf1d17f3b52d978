import { Histogram } from './histogram.ts';

/** The labels of Istio's standard metrics that one cell carries, in the order in which they are printed. */
export type Labels = Readonly<Record<string, string>>;

/** Everything counted for one set of labels. Found once per (endpoint or peer, status, flags), then only added to. */
export class Cell {
  readonly labels: Labels;
  requests = 0;
  readonly duration: Histogram = new Histogram();
  readonly requestBytes: Histogram = new Histogram();
  readonly responseBytes: Histogram = new Histogram();

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(durationMs: number, requestBytes: number, responseBytes: number): void {
    this.requests++;
    this.duration.observe(durationMs);
    this.requestBytes.observe(requestBytes);
    this.responseBytes.observe(responseBytes);
  }
}

/** What was counted of connections that carry bytes, for one set of labels. */
export class TcpCell {
  readonly labels: Labels;
  opened = 0;
  closed = 0;
  sentBytes = 0;
  receivedBytes = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }
}

/** All cells of one kind in a process. A new key object for a known label set finds the same cell, so counts survive configuration pushes. */
export class Cells<C> {
  private readonly byLabels = new Map<string, C>();
  private readonly create: (labels: Labels) => C;
  private readonly limit: number;

  constructor(create: (labels: Labels) => C, limit = 20_000) {
    this.create = create;
    this.limit = limit;
  }

  of(labels: Labels): C {
    const key = Object.entries(labels).flat().join('\u0000');
    let cell = this.byLabels.get(key);
    if (cell === undefined) {
      // A hard cap on series: what comes after it is counted together, visibly.
      if (this.byLabels.size >= this.limit) return this.overflow(labels);
      cell = this.create(labels);
      this.byLabels.set(key, cell);
    }
    return cell;
  }

  values(): Iterable<C> {
    return this.byLabels.values();
  }

  private overflow(labels: Labels): C {
    const key = 'overflow';
    let cell = this.byLabels.get(key);
    if (cell === undefined) {
      cell = this.create(Object.fromEntries(Object.keys(labels).map((name) => [name, 'overflow'])));
      this.byLabels.set(key, cell);
    }
    return cell;
  }
}
