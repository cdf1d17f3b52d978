import { RouteConfiguration } from '@ripstop/xds-api';
import type { Bed, Difference, Trial } from './bed.ts';

/** Smaller versions that are tried at once. */
const BATCH = 60;
const MOST_ROUNDS = 40;

/** What a shrinkable difference has. */
interface Differing<T> {
  readonly trial: T;
  readonly probe: unknown;
  readonly lines: readonly string[];
}

/** The smallest trial that still shows the first of these differences (same kind of line), found by leaving out and emptying parts. */
export function shrink(bed: Bed, difference: Difference): Promise<Difference> {
  if (difference.probe === undefined) return Promise.resolve(difference);
  const trial = { ...difference.trial, probes: [difference.probe] };
  const kinds = kindsOf(difference);
  const isTheSame = (each: Difference): boolean => [...kindsOf(each)].some((kind) => kinds.has(kind));
  return shrinkBy({ ...difference, trial }, (trials) => bed.compare(trials), smaller, isTheSame);
}

/** The same for other trials: `smaller` has versions of one with a part less each. */
export async function shrinkBy<T, D extends Differing<T>>(
  difference: D,
  compare: (trials: readonly T[]) => Promise<readonly D[]>,
  versions: (trial: T) => Iterable<T>,
  isTheSame: (found: D) => boolean,
): Promise<D> {
  let smallest = difference;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let found: D | undefined;
    const candidates = [...versions(smallest.trial)];
    for (let at = 0; at < candidates.length && found === undefined; at += BATCH) {
      const differences = await compare(candidates.slice(at, at + BATCH));
      found = differences.find((each) => each.probe !== undefined && isTheSame(each));
    }
    if (found === undefined) return smallest;
    smallest = found;
  }
  return smallest;
}

function kindsOf({ lines }: Pick<Difference, 'lines'>): Set<string> {
  return new Set(lines.map((line) => line.slice(0, line.indexOf(':'))));
}

function* smaller({ scenario, probes }: Trial): Iterable<Trial> {
  for (const routes of reduced(scenario.routes))
    yield { scenario: { ...scenario, routes: RouteConfiguration.fromPartial(routes as object) }, probes };
  for (const manager of reduced(scenario.manager)) yield { scenario: { ...scenario, manager: manager as typeof scenario.manager }, probes };
  for (const [probe] of probes.map((each) => [each] as const))
    for (const one of reduced(probe)) yield { scenario, probes: [one as typeof probe] };
}

/** The same value with one part less: an entry of a list, a field, or a simpler scalar. */
export function* reduced(value: unknown): Iterable<unknown> {
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) yield value.toSpliced(at, 1);
    for (let at = 0; at < value.length; at++) for (const one of reduced(value[at])) yield value.with(at, one);
  } else if (value instanceof Uint8Array) {
    // Packed filter configuration: all or nothing.
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, field] of Object.entries(value)) {
      if (field === undefined || key === '$type' || key === '$case') continue;
      if (isEmpty(field)) continue;
      if (!KEPT.has(key)) yield { ...value, [key]: emptied(field) };
      for (const one of reduced(field)) yield { ...value, [key]: one };
    }
  }
}

/** Without these a trial is none. */
const KEPT: ReadonlySet<string> = new Set([
  'authority',
  'path',
  'method',
  'domains',
  'name',
  'pathSpecifier',
  'typeUrl',
  'call',
  'answers',
  'virtualHosts',
  'cluster',
  'clusterSpecifier',
  'hashPolicy',
  'x-draw',
  'app',
  'status',
  'answer',
  'message',
  'match',
  'routes',
  'mode',
  'protocol',
  'rule',
  'identifier',
  'providers',
  'statPrefix',
  'tokenBucket',
  'key',
  'services',
]);

function isEmpty(field: unknown): boolean {
  return field === '' || field === false || field === 0 || (typeof field === 'object' && field !== null && Object.keys(field).length === 0);
}

function emptied(field: unknown): unknown {
  if (typeof field === 'string') return '';
  if (typeof field === 'boolean') return false;
  if (typeof field === 'number') return 0;
  return Array.isArray(field) ? [] : undefined;
}
