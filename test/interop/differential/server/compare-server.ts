import { compare } from '../../../simulation/compare.ts';
import type { SeenRequest } from '../../../simulation/observation.ts';
import type { ProbeResult } from '../compare-probes.ts';
import { PROBE_HEADER } from '../listener.ts';
import { EXPLAINED } from './explained.ts';
import type { ServerProbe, ServerScenario } from './scenario.ts';

/** Where the SDK did otherwise than Envoy, one line each, but for what is explained. */
export function compareServerProbe(scenario: ServerScenario, probe: ServerProbe, envoy: ProbeResult, sdk: ProbeResult): string[] {
  const [one, other] = [sideOf(envoy), sideOf(sdk)];
  const lines = compare(one, other, 'server').filter(
    // An Envoy that answers before the request's body is there closes the connection: a matter of the moment.
    (line) =>
      ((probe.call.body.length === 0 && !probe.call.chunked) || !line.startsWith('response header connection')) &&
      // A second has passed.
      !/^response header x-ratelimit-reset: Envoy "\d+", SDK "\d+"$/.test(line),
  );
  const differ = (what: string, left: string | undefined, right: string | undefined): void => {
    if (left !== right) lines.push(`${what}: Envoy ${left}, SDK ${right}`);
  };
  // A head that Envoy's codec refuses is logged without its headers: nobody can tell whose line it is.
  const refused = envoy.account === undefined && /unexpected_underscore$|^http2.violation/.test(sdk.account?.details ?? '');
  if (!refused)
    for (const field of ['route', 'cluster', 'flags', 'details'] as const) differ(field, envoy.account?.[field], sdk.account?.[field]);
  differ('who was asked', asked(one.requests), asked(other.requests));
  return EXPLAINED.reduce((left, { without }) => without(left, probe, scenario), lines);
}

interface Side {
  readonly replies: ProbeResult['observation']['replies'];
  readonly requests: readonly SeenRequest[];
}

/** Each side's probes are told apart by their header. */
function sideOf({ observation: { replies, requests } }: ProbeResult): Side {
  return { replies, requests: requests.map((seen) => ({ ...seen, headers: seen.headers.filter(([name]) => name !== PROBE_HEADER) })) };
}

function asked(requests: readonly SeenRequest[]): string {
  return requests.map(({ workload }) => workload).join();
}
