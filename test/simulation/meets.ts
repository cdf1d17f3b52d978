import type { Observation } from './observation.ts';
import type { Expectation } from './row.ts';

/** Standard deviations that a share may be off: less than one run in 100,000 is. */
const DEVIATIONS = 4.5;
/** Two processes' clocks and timers tick differently. */
const CLOCK_MS = 5;

/** Where an observation is not what the YAML means, one line each; empty when it is. */
export function unmet(expect: Expectation, { replies, requests, account }: Observation): string[] {
  const lines: string[] = [];
  const reply = replies.at(-1)!;
  const seen = requests.at(-1);
  const check = (what: string, wanted: unknown, got: unknown): void => {
    if (wanted !== got) lines.push(`${what}: wanted ${show(wanted)}, got ${show(got)}`);
  };
  if (expect.status !== undefined) check('status', expect.status, reply.status);
  if (expect.body !== undefined) check('body', expect.body, reply.body);
  if (expect.account !== undefined) check('account', expect.account, account);
  for (const [name, value] of Object.entries(expect.headers ?? {})) check(`response header ${name}`, value, reply.headers[name]);
  if (expect.to !== undefined) check('workloads', expect.to.join(', '), requests.map(({ workload }) => workload).join(', '));
  if (expect.method !== undefined) check('method', expect.method, seen?.method);
  if (expect.path !== undefined) check('path', expect.path, seen?.path);
  for (const [name, value] of Object.entries(expect.sees ?? {})) {
    const got = seen?.headers.filter(([line]) => line === name).map(([, text]) => text);
    check(`header ${name}`, value, got === undefined || got.length === 0 ? undefined : got.join(','));
  }
  if (expect.takesMs !== undefined) {
    const [least, most] = expect.takesMs;
    if (reply.tookMs < least - CLOCK_MS || reply.tookMs > most)
      lines.push(`time: wanted ${least} to ${most} ms, took ${Math.round(reply.tookMs)}`);
  }
  if (expect.statuses !== undefined) check('statuses', show(expect.statuses), show(tally(replies.map(({ status }) => String(status)))));
  for (const [name, share] of Object.entries(expect.shares ?? {})) {
    const among = /^\d+$/.test(name) ? replies.map(({ status }) => String(status)) : requests.map(({ workload }) => workload);
    const got = (tally(among)[name] ?? 0) / replies.length;
    const tolerance = DEVIATIONS * Math.sqrt((share * (1 - share)) / replies.length);
    if (Math.abs(got - share) > tolerance) lines.push(`share of ${name}: wanted ${share} ± ${tolerance.toFixed(3)}, got ${got}`);
  }
  return lines;
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function show(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}
