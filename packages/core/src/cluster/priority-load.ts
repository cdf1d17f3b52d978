/** Envoy's default overprovisioning factor, percent. */
export const OVERPROVISIONING = 140;

export interface PriorityHosts {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}

/** Percent of the load per priority, for its healthy and its degraded hosts, and which priorities are in panic (use all their hosts). */
export interface PriorityLoad {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  readonly panic: readonly boolean[];
}

/** Percent that priorities could carry, capped at 100 each. */
export interface Availability {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
}

/**
 * Envoy's priority load in its integer arithmetic: healthy hosts first over all priorities, degraded ones take what is left, panic below
 * the threshold (0 = off). The shares add up to 100, also when nobody can be reached; then the first priority has it all.
 */
export function priorityLoad(
  priorities: readonly PriorityHosts[],
  panicThreshold: number,
  overprovisioning: number = OVERPROVISIONING,
): PriorityLoad {
  const available = availability(priorities, overprovisioning);
  const total = totalAvailability(available);
  const threshold = Math.min(100, Math.trunc(panicThreshold));
  if (total === 0 && threshold === 0) return onlyFirst(priorities.length);
  const panic = priorities.map(
    ({ total: hosts, healthy, degraded }) => total < 100 && (hosts === 0 ? 0 : (100 * (healthy + degraded)) / hosts) < threshold,
  );
  if (total === 0 || panic.every(Boolean)) return { ...byHostCount(priorities), panic: priorities.map(() => true) };
  return { ...distribute(available, total), panic };
}

export function availability(priorities: readonly PriorityHosts[], overprovisioning: number): Availability {
  const share = (hosts: number, total: number): number => (total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * hosts) / total)));
  return {
    healthy: priorities.map(({ healthy, total }) => share(healthy, total)),
    degraded: priorities.map(({ degraded, total }) => share(degraded, total)),
  };
}

export function totalAvailability({ healthy, degraded }: Availability): number {
  return Math.min(100, sum(healthy) + sum(degraded));
}

function distribute({ healthy, degraded }: Availability, total: number): { healthy: number[]; degraded: number[] } {
  let left = 100;
  const give = (value: number): number => {
    const share = Math.min(left, Math.floor((value * 100) / total));
    left -= share;
    return share;
  };
  const load = { healthy: healthy.map(give), degraded: degraded.map(give) };
  // Rounding leaves something: it goes to the first healthy priority, without one to the first degraded.
  const first = healthy.findIndex((value) => value > 0);
  if (first !== -1) load.healthy[first]! += left;
  else load.degraded[degraded.findIndex((value) => value > 0)]! += left;
  return load;
}

/** Everything is in panic: by the number of hosts, healthy or not. */
function byHostCount(priorities: readonly PriorityHosts[]): { healthy: number[]; degraded: number[] } {
  const hosts = priorities.reduce((count, { total }) => count + total, 0);
  if (hosts === 0) return onlyFirst(priorities.length);
  const healthy = priorities.map(({ total }) => Math.floor((100 * total) / hosts));
  healthy[priorities.findIndex(({ total }) => total > 0)]! += 100 - sum(healthy);
  return { healthy, degraded: priorities.map(() => 0) };
}

function onlyFirst(count: number): { healthy: number[]; degraded: number[]; panic: boolean[] } {
  const none = new Array<number>(count).fill(0);
  return { healthy: none.with(0, 100), degraded: none, panic: none.map(() => false) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
