import type { L4Match, TCPRoute, TLSRoute, VirtualServiceSpec } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { checkWeights } from './destinations.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkLabels, isAddress, isAddressRange, madeHostProblem, wildcardHostProblem } from './names.ts';

/** Whether a VirtualService is for gateways only. */
export function isForGateways({ gateways = [] }: VirtualServiceSpec): boolean {
  return gateways.length > 0 && !gateways.includes('mesh');
}

export function checkTcpRoute({ match = [], route = [] }: TCPRoute, path: Path, report: Report): void {
  for (const [index, condition] of match.entries()) checkMatch(condition, [...path, 'match', index], report);
  checkRoute(route, path, report);
}

export function checkTlsRoute({ match = [], route = [] }: TLSRoute, service: VirtualServiceSpec, path: Path, report: Report): void {
  if (match.length === 0)
    report(
      'RIPSTOP_MISSING_FIELD',
      'error',
      [...path, 'match'],
      'a TLS route is chosen by the name that the client asks for: give sniHosts',
    );
  for (const [index, condition] of match.entries()) {
    const at = [...path, 'match', index];
    const { sniHosts = [] } = condition;
    if (sniHosts.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', [...at, 'sniHosts'], 'give at least one name');
    for (const [position, host] of sniHosts.entries()) checkSni(host, service, [...at, 'sniHosts', position], report);
    checkMatch(condition, at, report);
  }
  checkRoute(route, path, report);
}

function checkRoute(route: NonNullable<TCPRoute['route']>, path: Path, report: Report): void {
  if (route.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'route'], 'give at least one destination');
  checkWeights(route, [...path, 'route'], report);
}

function checkMatch({ destinationSubnets, sourceLabels, gateways }: L4Match, path: Path, report: Report): void {
  for (const [index, range] of (destinationSubnets ?? []).entries()) {
    if (!isAddressRange(range))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        [...path, 'destinationSubnets', index],
        `${JSON.stringify(range)} is no address and no range of addresses`,
      );
  }
  checkLabels(sourceLabels, [...path, 'sourceLabels'], report);
  checkGatewayNames(gateways, [...path, 'gateways'], report);
}

/** A name has to be one of the hosts', or below them. */
function checkSni(host: string, service: VirtualServiceSpec, path: Path, report: Report): void {
  const made = isForGateways(service) && host.startsWith('outbound_');
  const problem = made ? madeHostProblem(host) : wildcardHostProblem(host);
  if (problem !== undefined) {
    if (!isAddress(host)) report('RIPSTOP_BAD_VALUE', 'error', path, problem);
    return;
  }
  const { hosts = [] } = service;
  if (!hosts.some((covering) => isCovered(host, covering)))
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      path,
      `${JSON.stringify(host)} is none of the hosts of this VirtualService (${hosts.join(', ')}): name one of them`,
    );
}

/** Istio: host.Name.SubsetOf. */
function isCovered(host: string, by: string): boolean {
  if (!by.startsWith('*')) return host === by;
  if (!host.startsWith('*')) return host.endsWith(by.slice(1));
  return host.length >= by.length && host.slice(1).endsWith(by.slice(1));
}
