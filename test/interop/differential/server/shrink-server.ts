import { RouteConfiguration } from '@ripstop/xds-api';
import { compact } from '../show.ts';
import { reduced, shrinkBy } from '../shrink.ts';
import type { ServerBed, ServerDifference } from './bed.ts';
import type { ServerProbe, ServerScenario, ServerTrial } from './scenario.ts';

/** The smallest trial that still shows a difference. What came before its request in the same scenario is kept: limits count it. */
export function shrinkServer(bed: ServerBed, difference: ServerDifference): Promise<ServerDifference> {
  const { trial, probe } = difference;
  if (probe === undefined) return Promise.resolve(difference);
  const probes = trial.probes.slice(0, trial.probes.indexOf(probe) + 1);
  // What is told of a reply says more than its status.
  const line = difference.lines.find((each) => each.startsWith('details')) ?? difference.lines[0]!;
  const isTheSame = ({ lines }: ServerDifference): boolean => lines.includes(line);
  return shrinkBy({ ...difference, trial: { ...trial, probes } }, (trials) => bed.compare(trials), smaller, isTheSame);
}

function* smaller({ scenario, probes }: ServerTrial): Iterable<ServerTrial> {
  if (probes.length > 1) yield { scenario, probes: probes.slice(-1) };
  if (scenario.filters.length > 1)
    for (let at = 0; at < scenario.filters.length; at++) yield { scenario: { ...scenario, filters: [scenario.filters[at]!] }, probes };
  if (scenario.filters.length > 0) yield { scenario: { ...scenario, filters: [] }, probes };
  for (let at = 0; at < probes.length - 1; at++) yield { scenario, probes: probes.toSpliced(at, 1) };
  for (const one of reduced(scenario)) {
    const { routes, ...rest } = one as ServerScenario;
    yield { scenario: { ...rest, routes: RouteConfiguration.fromPartial(routes) }, probes };
  }
  for (const one of reduced(probes.at(-1)) as Iterable<ServerProbe>)
    if (one.call.headers.every((line) => line.length === 2)) yield { scenario, probes: probes.with(-1, one) };
}

/** A difference for a person. */
export function showServer({ trial, probe, lines }: ServerDifference): string {
  const { routes, manager, filters, app, mode } = trial.scenario;
  return [
    ...lines.map((line) => `  ${line}`),
    ...(probe === undefined ? [] : [`  request ${JSON.stringify(probe.call)}`, `  answer  ${JSON.stringify(probe.answer)}`]),
    `  routes  ${JSON.stringify(compact(routes))}`,
    `  manager ${JSON.stringify(compact(manager))}`,
    `  filters ${JSON.stringify(compact(filters))}`,
    `  app ${app}, ${mode}, request ${trial.probes.length} of its kind`,
  ].join('\n');
}

/** How often each kind of difference was found. */
export function kindsOf(differences: readonly ServerDifference[]): string {
  const counts = new Map<string, number>();
  for (const line of differences.flatMap(({ lines }) => lines)) {
    const kind = line.slice(0, 160).replaceAll(/[\d.]{3,}/g, '#');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 60)
    .map(([kind, count]) => `${count} × ${kind}`)
    .join('\n');
}

/** By what is said of the first line. */
export function firstOfEachKind(differences: readonly ServerDifference[]): ServerDifference[] {
  const kinds = new Map(differences.toReversed().map((difference) => [difference.lines[0]!.replace(/:.*$/, ''), difference]));
  return [...kinds.values()].reverse();
}
