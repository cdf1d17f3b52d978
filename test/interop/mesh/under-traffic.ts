import { until } from '../until.ts';

/** Calls that have to be served after each step. */
const CALLS_AFTER_STEP = 20;

/** Statuses of the calls that `loops` callers make one after the other while the steps are taken in turn. */
export async function statusesUnderTraffic(
  call: () => Promise<{ readonly status: number }>,
  steps: readonly (() => Promise<unknown>)[],
  loops: number,
): Promise<number[]> {
  const statuses = new Map<number, number>();
  let running = true;
  const traffic = async (): Promise<void> => {
    while (running) {
      const { status } = await call();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const callers = Array.from({ length: loops }, traffic);
  for (const step of steps) {
    const before = statuses.get(200) ?? 0;
    await step();
    await until('calls after the step', () => (statuses.get(200) ?? 0) > before + CALLS_AFTER_STEP || statuses.size > 1);
  }
  running = false;
  await Promise.all(callers);
  return [...statuses.keys()];
}
