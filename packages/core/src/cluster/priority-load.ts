/** Envoy's overprovisioning factor, percent. */
const OVERPROVISIONING = 140;

export interface PriorityHosts {
  readonly total: number;
  readonly healthy: number;
}

/** Percent of the load per priority, and which priorities are in panic (use all their hosts). Undefined = nobody is healthy: UH. */
export interface PriorityLoad {
  readonly load: readonly number[];
  readonly panic: readonly boolean[];
}

/** Envoy's priority load (integer arithmetic), panic threshold included; 0 switches panic off. */
export function priorityLoad(priorities: readonly PriorityHosts[], panicThreshold: number): PriorityLoad | undefined {
  const health = priorities.map(({ total, healthy }) =>
    total === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING * healthy) / total)),
  );
  const total = Math.min(
    100,
    health.reduce((sum, value) => sum + value, 0),
  );
  const panic = priorities.map(
    ({ total: hosts, healthy }) => panicThreshold > 0 && total < 100 && hosts > 0 && (100 * healthy) / hosts < panicThreshold,
  );
  const hosts = priorities.reduce((sum, entry) => sum + entry.total, 0);
  if (hosts === 0) return undefined;
  const allPanic = panicThreshold > 0 && (total === 0 || priorities.every((entry, index) => entry.total === 0 || panic[index]));
  if (allPanic) return { load: priorities.map((entry) => (100 * entry.total) / hosts), panic: priorities.map(() => true) };
  if (total === 0) return undefined;
  const load: number[] = [];
  let left = 100;
  for (const value of health) {
    const share = Math.min(left, Math.floor((value * 100) / total));
    load.push(share);
    left -= share;
  }
  // Rounding leaves go to the first priority that carries anything, as in Envoy.
  if (left > 0) load[load.findIndex((share) => share > 0)]! += left;
  return { load, panic };
}
