import { type Availability, type PriorityLoad, totalAvailability } from './priority-load.ts';

/**
 * Envoy's previous_priorities: after every `frequency` attempts the priorities that were tried carry nothing and the rest is spread
 * again; when none is left they start over. `tried` = the priority of each attempt so far.
 */
export function loadWithoutTried(
  load: PriorityLoad,
  available: Availability,
  tried: readonly number[],
  frequency: number,
): Pick<PriorityLoad, 'healthy' | 'degraded'> {
  let current: Pick<PriorityLoad, 'healthy' | 'degraded'> = load;
  let attempts: number[] = [];
  let excluded = new Set<number>();
  for (const priority of tried) {
    attempts.push(priority);
    if (attempts.length % frequency !== 0) continue;
    for (const attempted of attempts) excluded.add(attempted);
    let rest = without(available, excluded);
    if (totalAvailability(rest) === 0) {
      excluded = new Set();
      attempts = [];
      rest = available;
    }
    current = totalAvailability(rest) === 0 ? load : spread(rest);
  }
  // Since they started over too few attempts were made to exclude anything.
  return attempts.length < frequency ? load : current;
}

function without({ healthy, degraded }: Availability, excluded: ReadonlySet<number>): Availability {
  const kept = (values: readonly number[]): number[] => values.map((value, priority) => (excluded.has(priority) ? 0 : value));
  return { healthy: kept(healthy), degraded: kept(degraded) };
}

/** Round after round until all of it is given away, so that rounding loses nothing. */
function spread(available: Availability): { healthy: number[]; degraded: number[] } {
  const total = totalAvailability(available);
  const healthy = available.healthy.map(() => 0);
  const degraded = available.degraded.map(() => 0);
  for (let left = 100; left > 0; ) {
    for (const [values, load] of [[available.healthy, healthy] as const, [available.degraded, degraded] as const]) {
      for (const [priority, value] of values.entries()) {
        const share = Math.min(left, Math.floor((value * 100) / total));
        load[priority]! += share;
        left -= share;
      }
    }
  }
  return { healthy, degraded };
}
