/** Values of labels, in the order of a metric's label names. */
export type LabelValues = readonly (string | number)[];

/** A metric that writes itself as Prometheus text. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  lines(): string[];
}

interface Description {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Counts up, per label values. */
export class Counter implements Metric {
  readonly name: string;
  readonly help: string;
  private readonly labels: readonly string[];
  private readonly texts: LabelTexts;
  private readonly counts = new Map<string, number>();

  constructor({ name, help, labels = [] }: Description) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.texts = new LabelTexts(labels);
  }

  add(values: LabelValues = [], count = 1): void {
    const key = this.texts.of(values);
    this.counts.set(key, (this.counts.get(key) ?? 0) + count);
  }

  lines(): string[] {
    const counts = this.labels.length === 0 && this.counts.size === 0 ? [['', 0] as const] : [...this.counts];
    return [...heading(this, 'counter'), ...counts.map(([labels, count]) => `${this.name}${braced(labels)} ${count}`)];
  }
}

/** Worked out when it is read. */
export class Gauge implements Metric {
  readonly name: string;
  readonly help: string;
  private readonly labels: readonly string[];
  private readonly read: () => readonly (readonly [LabelValues, number])[];

  constructor({ name, help, labels = [] }: Description, read: () => number | readonly (readonly [LabelValues, number])[]) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.read = () => {
      const value = read();
      return typeof value === 'number' ? [[[], value]] : value;
    };
  }

  lines(): string[] {
    return [
      ...heading(this, 'gauge'),
      ...this.read().map(([values, value]) => `${this.name}${braced(labelText(this.labels, values))} ${value}`),
    ];
  }
}

interface Cells {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Counts values in buckets, per label values. */
export class Histogram implements Metric {
  readonly name: string;
  readonly help: string;
  private readonly labels: readonly string[];
  private readonly texts: LabelTexts;
  private readonly bounds: readonly number[];
  private readonly cells = new Map<string, Cells>();

  constructor({ name, help, labels = [], bounds }: Description & { readonly bounds: readonly number[] }) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.texts = new LabelTexts(labels);
    this.bounds = bounds;
  }

  observe(value: number, values: LabelValues = []): void {
    const key = this.texts.of(values);
    let cells = this.cells.get(key);
    if (cells === undefined) {
      cells = { counts: this.bounds.map(() => 0), sum: 0, count: 0 };
      this.cells.set(key, cells);
    }
    cells.sum += value;
    cells.count++;
    // From the largest down to the first that it does not fit: for every response of every client.
    for (let at = this.bounds.length - 1; at >= 0 && value <= this.bounds[at]!; at--) cells.counts[at]!++;
  }

  lines(): string[] {
    const lines = heading(this, 'histogram');
    const empty: [string, Cells][] = this.labels.length === 0 ? [['', { counts: this.bounds.map(() => 0), sum: 0, count: 0 }]] : [];
    for (const [labels, { counts, sum, count }] of this.cells.size === 0 ? empty : this.cells) {
      const bucket = (bound: string, value: number): string =>
        `${this.name}_bucket${braced([labels, `le="${bound}"`].filter((part) => part !== '').join(','))} ${value}`;
      for (const [index, bound] of this.bounds.entries()) lines.push(bucket(String(bound), counts[index]!));
      lines.push(bucket('+Inf', count), `${this.name}_sum${braced(labels)} ${sum}`, `${this.name}_count${braced(labels)} ${count}`);
    }
    return lines;
  }
}

function heading({ name, help }: Metric, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

/** Labels as text. Values that are the same array each time (one per response and client) are put together once. */
class LabelTexts {
  private readonly names: readonly string[];
  private readonly known = new WeakMap<LabelValues, string>();

  constructor(names: readonly string[]) {
    this.names = names;
  }

  of(values: LabelValues): string {
    let text = this.known.get(values);
    if (text === undefined) {
      text = labelText(this.names, values);
      this.known.set(values, text);
    }
    return text;
  }
}

function labelText(names: readonly string[], values: LabelValues): string {
  return names.map((name, index) => `${name}="${escaped(String(values[index] ?? ''))}"`).join(',');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}
