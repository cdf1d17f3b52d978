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

/** All cells of a process. A new key object for a known label set finds the same cell, so counts survive configuration pushes. */
export class Cells {
  private readonly byLabels = new Map<string, Cell>();
  private readonly limit: number;

  constructor(limit = 20_000) {
    this.limit = limit;
  }

  of(labels: Labels): Cell {
    const key = Object.entries(labels).flat().join('\u0000');
    let cell = this.byLabels.get(key);
    if (cell === undefined) {
      // A hard cap on series: what comes after it is counted together, visibly.
      if (this.byLabels.size >= this.limit) return this.overflow(labels);
      cell = new Cell(labels);
      this.byLabels.set(key, cell);
    }
    return cell;
  }

  values(): Iterable<Cell> {
    return this.byLabels.values();
  }

  private overflow(labels: Labels): Cell {
    const key = 'overflow';
    let cell = this.byLabels.get(key);
    if (cell === undefined) {
      cell = new Cell(Object.fromEntries(Object.keys(labels).map((name) => [name, 'overflow'])));
      this.byLabels.set(key, cell);
    }
    return cell;
  }
}
