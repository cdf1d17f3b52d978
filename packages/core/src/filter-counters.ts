/** A number that only grows. */
export interface FilterCounter {
  value: number;
}

export interface NamedCounter extends FilterCounter {
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What filters count, by Envoy's names as Prometheus has them. One counter per name and labels: it survives every push. */
export class FilterCounters {
  private readonly counters = new Map<string, NamedCounter>();

  counter(name: string, help: string, labels: Readonly<Record<string, string>>): FilterCounter {
    const key = `${name}${JSON.stringify(labels)}`;
    let counter = this.counters.get(key);
    if (counter === undefined) {
      counter = { name, help, labels, value: 0 };
      this.counters.set(key, counter);
    }
    return counter;
  }

  all(): readonly NamedCounter[] {
    return [...this.counters.values()];
  }
}
