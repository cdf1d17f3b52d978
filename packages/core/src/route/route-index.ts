import type { Route } from './route.ts';

/** Below this many routes a scan is as fast. */
const FEWEST_ROUTES = 8;

/**
 * Narrows a virtual host's routes to those that a path can match, in their order, so that a request is not held against hundreds of
 * prefixes. Routes are told apart by the path segment that follows what all their literals have in common.
 */
export class RouteIndex {
  private readonly common: string;
  private readonly bySegment: ReadonlyMap<string, readonly Route[]>;
  /** Routes that any path may match as far as the index knows. */
  private readonly others: readonly Route[];

  private constructor(common: string, bySegment: ReadonlyMap<string, readonly Route[]>, others: readonly Route[]) {
    this.common = common;
    this.bySegment = bySegment;
    this.others = others;
  }

  /** Undefined when it would not help. */
  static of(routes: readonly Route[]): RouteIndex | undefined {
    if (routes.length < FEWEST_ROUTES) return undefined;
    const common = commonPrefix(routes.flatMap(({ literal }) => (literal === undefined ? [] : [literal])));
    const bySegment = new Map<string, Route[]>();
    const others: Route[] = [];
    for (const route of routes) {
      const segment = route.literal === undefined ? undefined : wholeSegment(route.literal, common.length);
      if (segment === undefined) {
        others.push(route);
        for (const list of bySegment.values()) list.push(route);
        continue;
      }
      const known = bySegment.get(segment);
      if (known === undefined) bySegment.set(segment, [...others, route]);
      else known.push(route);
    }
    return bySegment.size < FEWEST_ROUTES ? undefined : new RouteIndex(common, bySegment, others);
  }

  /** `path` is without query. */
  candidates(path: string): readonly Route[] {
    if (!path.startsWith(this.common)) return this.others;
    const end = path.indexOf('/', this.common.length);
    if (end === -1) return this.others; // A whole segment ends with a slash.
    return this.bySegment.get(path.slice(this.common.length, end)) ?? this.others;
  }
}

/** The segment from there up to its slash; undefined when the literal ends within it, so that longer segments match as well. */
function wholeSegment(literal: string, from: number): string | undefined {
  const end = literal.indexOf('/', from);
  return end === -1 ? undefined : literal.slice(from, end);
}

function commonPrefix(texts: readonly string[]): string {
  let common = texts[0] ?? '';
  for (const text of texts) {
    let length = 0;
    while (length < common.length && common[length] === text[length]) length++;
    common = common.slice(0, length);
  }
  return common;
}
