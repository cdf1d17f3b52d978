import type { Destination } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { isDnsLabel, wildcardHostProblem } from './names.ts';

/** Where calls go (Istio: validateDestination). */
export function checkDestination(destination: Destination | undefined, path: Path, report: Report): void {
  if (destination === undefined) return;
  const { host, subset = '', port } = destination;
  const bad = (field: string, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, field], message);
  const problem = host === '*' ? '"*" is no destination: name a service' : wildcardHostProblem(host);
  if (problem !== undefined) bad('host', problem);
  if (subset !== '') checkSubsetName(subset, [...path, 'subset'], report);
  if (port !== undefined && port.number === undefined) bad('port', 'a port needs its number');
}

export function checkSubsetName(name: string, path: Path, report: Report): void {
  if (!isDnsLabel(name))
    report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(name)} is no name of a subset: letters, digits and "-", such as v1`);
}

interface Weighted {
  readonly destination: Destination;
  readonly weight?: number;
}

/** Destinations with their weights: one gets all, of several at least one has to get something. */
export function checkWeights(destinations: readonly Weighted[], path: Path, report: Report): void {
  for (const [index, { destination, weight = 0 }] of destinations.entries()) {
    checkDestination(destination, [...path, index, 'destination'], report);
    if (weight < 0 || weight > 2_147_483_647)
      report('RIPSTOP_OUT_OF_RANGE', 'error', [...path, index, 'weight'], `${weight} is no weight: give 0 to 2147483647`);
  }
  const sum = destinations.reduce((total, { weight = 0 }) => total + weight, 0);
  if (destinations.length > 1 && sum === 0)
    report('RIPSTOP_WEIGHT_SUM', 'error', path, 'weights add up to 0; give at least one destination a weight');
}
