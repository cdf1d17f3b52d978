/**
 * `before` when it has the same members in the same order as `made`: what was made of it then need not be made again. Arrays of a push
 * are compared by identity everywhere.
 */
export function sameMembers<T>(before: readonly T[] | undefined, made: readonly T[]): readonly T[] {
  return before !== undefined && isSame(before, made) ? before : made;
}

/** Equal by identity; lists, maps of one level and plain objects also by their members'. */
export function isSame(a: unknown, b: unknown, depth = 2): boolean {
  if (a === b) return true;
  if (depth === 0 || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index], depth - 1));
  if (Object.getPrototypeOf(a) !== Object.prototype || Object.getPrototypeOf(b) !== Object.prototype) return false;
  const keys = Object.keys(a);
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  return keys.length === Object.keys(b).length && keys.every((key) => isSame(left[key], right[key], depth - 1));
}

/** Parts of a push by name. A part is made again only when something that it is made of is another object than before. */
export class Parts {
  private readonly made = new Map<string, { readonly inputs: readonly unknown[]; readonly value: unknown }>();
  private before: Parts | undefined;

  constructor(before: Parts | undefined) {
    this.before = before;
  }

  /** `make` gets the part as it was, for parts that can be made of it. */
  get<T>(name: string, inputs: readonly unknown[], make: (before: T | undefined) => T): T {
    const known = this.before?.made.get(name);
    const reusable =
      known !== undefined && known.inputs.length === inputs.length && known.inputs.every((input, at) => input === inputs[at]);
    const value = reusable ? (known.value as T) : make(known?.value as T | undefined);
    this.made.set(name, { inputs, value });
    return value;
  }

  /** A list that is the same array as before while its members are. */
  list<T>(name: string, made: readonly T[]): readonly T[] {
    const value = sameMembers(this.before?.made.get(name)?.value as readonly T[] | undefined, made);
    this.made.set(name, { inputs: [], value });
    return value;
  }

  /** Lets go of the push before: pushes must not hold each other in memory. */
  finish(): void {
    this.before = undefined;
  }
}
