import type { Upstreams } from './mesh/upstreams.ts';
import type { Caller, Observation } from './observation.ts';
import type { Row } from './row.ts';

/** Makes the calls of a row. `arrived` waits until the upstreams have seen so many requests. */
export async function observe(
  caller: Caller,
  upstreams: Upstreams,
  { call, times = 1, concurrently = false, upstream, arrives, expect }: Row,
  arrived: (upstreams: Upstreams, count: number) => Promise<void>,
): Promise<Observation> {
  upstreams.play(upstream);
  const calls = Array.from({ length: times }, () => call);
  const replies = concurrently ? await Promise.all(calls.map((each) => caller.call(each))) : [];
  if (!concurrently) for (const each of calls) replies.push(await caller.call(each));
  const account = expect.account === undefined ? undefined : await caller.account?.();
  if (arrives === undefined) return { replies, requests: upstreams.requests, ...(account === undefined ? {} : { account }) };
  await arrived(upstreams, arrives);
  return { replies, requests: [...upstreams.requests].sort((one, other) => (one.workload < other.workload ? -1 : 1)) };
}
