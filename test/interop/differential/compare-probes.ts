import { compare } from '../../simulation/compare.ts';
import type { Observation } from '../../simulation/observation.ts';
import { EXPLAINED } from './explained.ts';
import type { Account } from './scenario.ts';

export interface ProbeResult {
  readonly observation: Observation;
  readonly account: Account | undefined;
}

/** Where the SDK did otherwise than Envoy, one line each. */
export function compareProbe(envoy: ProbeResult, sdk: ProbeResult): string[] {
  // What is left of a timeout at a later attempt depends on the clock.
  const lines = compare(envoy.observation, sdk.observation, 'sidecar').filter(
    (line) => !/attempt \d+ header x-envoy-expected-rq-timeout-ms/.test(line),
  );
  const differ = (what: string, one: string | undefined, other: string | undefined): void => {
    if (one !== other) lines.push(`${what}: Envoy ${one}, SDK ${other}`);
  };
  for (const field of ['route', 'cluster', 'flags', 'details'] as const) differ(field, envoy.account?.[field], sdk.account?.[field]);
  differ('upstreams', workloads(envoy), workloads(sdk));
  return EXPLAINED.reduce((left, { without }) => without(left, sdk.observation.replies.at(-1)!.status), lines);
}

function workloads({ observation }: ProbeResult): string {
  return observation.requests.map(({ workload }) => workload).join();
}
