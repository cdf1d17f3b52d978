export type Labels = Readonly<Record<string, string>>;

/** Whether labels satisfy a selector; an empty one selects everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** `app=reviews,version=v1`. */
export function formatSelector(selector: Labels): string {
  return Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',');
}

/** Things with labels, found by selector without a look at each of them. */
export class LabelIndex<T extends { readonly labels: Labels }> {
  private readonly all: T[] = [];
  private readonly byLabel = new Map<string, T[]>();

  add(item: T): void {
    this.all.push(item);
    for (const [name, value] of Object.entries(item.labels)) {
      const key = `${name}=${value}`;
      const known = this.byLabel.get(key);
      if (known === undefined) this.byLabel.set(key, [item]);
      else known.push(item);
    }
  }

  matching(selector: Labels): readonly T[] {
    let fewest: readonly T[] = this.all;
    for (const [name, value] of Object.entries(selector)) {
      const candidates = this.byLabel.get(`${name}=${value}`) ?? [];
      if (candidates.length < fewest.length) fewest = candidates;
    }
    return fewest.filter(({ labels }) => selects(selector, labels));
  }
}
