import { compare } from '../../simulation/compare.ts';
import type { Observation, SeenRequest } from '../../simulation/observation.ts';
import { EXPLAINED } from './explained.ts';
import type { Account } from './scenario.ts';
import type { Place } from './sdk-side.ts';

export interface ProbeResult {
  readonly observation: Observation;
  readonly account: Account | undefined;
}

/** Where the SDK did otherwise than Envoy, one line each. */
export function compareProbe(envoy: ProbeResult, sdk: ProbeResult, place: Place): string[] {
  // What is left of a timeout at a later attempt depends on the clock.
  const lines = compare(envoy.observation, sdk.observation, place).filter(
    (line) =>
      !/attempt \d+ header x-envoy-expected-rq-timeout-ms/.test(line) &&
      // An Envoy that answers before the request's body is there closes the connection: a matter of the moment.
      !line.startsWith('response header connection'),
  );
  const differ = (what: string, one: string | undefined, other: string | undefined): void => {
    if (one !== other) lines.push(`${what}: Envoy ${one}, SDK ${other}`);
  };
  for (const field of ['route', 'cluster', 'flags', 'details'] as const) differ(field, envoy.account?.[field], sdk.account?.[field]);
  differ('upstreams', workloads(envoy), workloads(sdk));
  return EXPLAINED.reduce((left, { without }) => without(left, sdk.observation.replies.at(-1)!.status), lines);
}

const NO_REPLY = { status: 0, headers: {}, body: '', tookMs: 0 };

/** Where mirrored copies of a request differ. */
export function compareCopies(envoy: readonly SeenRequest[] = [], sdk: readonly SeenRequest[] = [], place: Place): string[] {
  if (envoy.length !== sdk.length) return [`copies: Envoy ${envoy.length}, SDK ${sdk.length}`];
  const key = ({ headers }: SeenRequest): string => headers.find(([name]) => name === 'host')?.[1] ?? '';
  const sorted = (copies: readonly SeenRequest[]) => [...copies].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const theirs = sorted(sdk);
  return sorted(envoy).flatMap((copy, at) =>
    compare({ replies: [NO_REPLY], requests: [copy] }, { replies: [NO_REPLY], requests: [theirs[at]!] }, place)
      // Envoy's own address; see the page of differences.
      .filter((line) => !line.startsWith('upstream header x-forwarded-for'))
      .map((line) => `copy, ${line}`),
  );
}

function workloads({ observation }: ProbeResult): string {
  return observation.requests.map(({ workload }) => workload).join();
}
