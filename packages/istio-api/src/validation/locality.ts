import type { LocalityLoadBalancerSetting, ZoneAwareLoadBalancerSetting } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';

/** Labels that say where an endpoint is. */
const TOPOLOGY: ReadonlySet<string> = new Set([
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.istio.io/subzone',
]);

/** Istio: ValidateLocalityLbSetting. */
export function checkLocality(setting: LocalityLoadBalancerSetting | undefined, path: Path, report: Report): void {
  if (setting === undefined) return;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  const bad = (field: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...field], message);
  if (distribute.length > 0 && failover.length > 0) {
    bad(['failover'], 'give distribute or failover, not both');
    return;
  }
  const label = failoverPriority.find((name) => TOPOLOGY.has(name));
  if (failover.length > 0 && label !== undefined) {
    bad(['failoverPriority'], `failover orders regions already: remove it, or ${label} here`);
    return;
  }
  for (const [index, { to = {} }] of distribute.entries()) {
    const weights = Object.entries(to);
    const wrong = weights.find(([, weight]) => weight < 1 || weight > 100);
    const sum = weights.reduce((total, [, weight]) => total + weight, 0);
    if (wrong !== undefined) bad(['distribute', index, 'to', wrong[0]], `${wrong[1]} is no share: give 1 to 100`);
    else if (sum !== 100) bad(['distribute', index, 'to'], `the shares add up to ${sum}: they must be 100`);
    if (wrong !== undefined || sum !== 100) return;
    checkPlaces(Object.keys(to), [...path, 'distribute', index, 'to'], report);
  }
  checkPlaces(
    distribute.map(({ from = '' }) => from),
    [...path, 'distribute'],
    report,
  );
  checkFailover(failover, [...path, 'failover'], report);
}

/** Istio: ValidateZoneAwareLbSetting. Zones are Envoy's own affair there. */
export function checkZoneAware(setting: ZoneAwareLoadBalancerSetting | undefined, path: Path, report: Report): void {
  const { failover = [], failoverPriority = [] } = setting ?? {};
  for (const [index, label] of failoverPriority.entries()) {
    if (TOPOLOGY.has(label))
      report('RIPSTOP_BAD_VALUE', 'error', [...path, 'failoverPriority', index], `zones and regions are looked at anyway: remove ${label}`);
  }
  checkFailover(failover, [...path, 'failover'], report);
}

function checkFailover(failover: readonly { readonly from?: string; readonly to?: string }[], path: Path, report: Report): void {
  for (const [index, { from = '', to = '' }] of failover.entries()) {
    const at = [...path, index];
    if (from === to) report('RIPSTOP_BAD_VALUE', 'error', at, `from and to are the same region, ${JSON.stringify(from)}: name another`);
    else if (/[/*]/.test(from + to))
      report('RIPSTOP_BAD_VALUE', 'error', at, `failover goes from region to region, without "/" and "*": ${from} to ${to}`);
  }
}

/** Places `region/zone/subzone`, each of which may end in `*`; none may cover another (Istio: validateLocalities). */
function checkPlaces(places: readonly string[], path: Path, report: Report): void {
  const problem = placesProblem(places);
  if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', path, problem);
}

function placesProblem(places: readonly string[]): string | undefined {
  for (const [index, place] of places.entries()) {
    const stars = place.split('*').length - 1;
    if (stars > 1 || (stars === 1 && !place.endsWith('*'))) return `${JSON.stringify(place)}: one "*", at the end, is enough`;
    if (place.split('/', 3).includes('')) return `${JSON.stringify(place)}: region, zone and subzone must not be empty`;
    const covered = places.slice(0, index).find((earlier) => overlaps(earlier, place));
    if (covered !== undefined) return `${JSON.stringify(place)} and ${JSON.stringify(covered)} overlap: each place is in one only`;
  }
  return undefined;
}

/** Whether a place has something in common with a later one. */
function overlaps(earlier: string, later: string): boolean {
  const first = parts(earlier);
  const second = parts(later);
  if (first[0] === '*') return true;
  for (const [index, part] of second.entries()) {
    if (first[index] === undefined || first[index] === '*') return true;
    if (part !== first[index]) return false;
  }
  return true;
}

function parts(place: string): string[] {
  const [region = '', zone, ...rest] = place.split('/');
  return [region, ...(zone === undefined ? [] : [zone]), ...(rest.length === 0 ? [] : [rest.join('/')])];
}
