import { hostsMeet } from '../analysis/hosts.ts';
import type { ObjectMeta } from '../object.ts';
import type { VirtualServiceSpec } from '../types/networking.ts';
import type { Report } from '../validate.ts';
import { checkExportTo } from './export-to.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkHttpRoute } from './http-route.ts';
import { checkTcpRoute, checkTlsRoute, isForGateways } from './l4-routes.ts';
import { isAddress, madeHostProblem, wildcardHostProblem } from './names.ts';

/** istiod's rules (ValidateVirtualService). */
export function checkVirtualService(spec: VirtualServiceSpec, { namespace }: ObjectMeta, report: Report): void {
  const { hosts = [], http = [], tls = [], tcp = [] } = spec;
  if (hosts.length === 0) checkDelegate(spec, report);
  checkGatewayNames(spec.gateways, ['spec', 'gateways'], report);
  checkHosts(spec, report);
  if (http.length + tls.length + tcp.length === 0)
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec'], 'give at least one of http, tls, tcp');
  for (const [index, route] of http.entries()) checkHttpRoute(route, hosts.length === 0, ['spec', 'http', index], report);
  for (const [index, route] of tls.entries()) checkTlsRoute(route, spec, ['spec', 'tls', index], report);
  for (const [index, route] of tcp.entries()) checkTcpRoute(route, ['spec', 'tcp', index], report);
  checkExportTo(spec, namespace, 'VirtualService', report);
}

function checkDelegate({ gateways = [], tls = [], tcp = [] }: VirtualServiceSpec, report: Report): void {
  for (const [field, { length }] of Object.entries({ gateways, tls, tcp })) {
    if (length > 0)
      report('RIPSTOP_BAD_VALUE', 'error', ['spec', field], `without hosts this is a delegate, and a delegate has no ${field}: give hosts`);
  }
}

function checkHosts(spec: VirtualServiceSpec, report: Report): void {
  const { hosts = [], tls = [] } = spec;
  const forGateways = isForGateways(spec);
  const sni = tls.some(({ match = [] }) => match.some(({ sniHosts = [] }) => sniHosts.length > 0));
  const problems = hosts.map((host) => {
    const made = forGateways && sni && host.startsWith('outbound_');
    const problem = made ? madeHostProblem(host) : wildcardHostProblem(host);
    if (problem !== undefined) return isAddress(host) ? undefined : problem;
    return host === '*' && !forGateways ? '"*" is for gateways only: name the hosts that this is for' : undefined;
  });
  for (const [index, problem] of problems.entries())
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', ['spec', 'hosts', index], problem);
  if (problems.every((problem) => problem === undefined)) checkDuplicates(hosts, report);
}

function checkDuplicates(hosts: readonly string[], report: Report): void {
  for (const [index, host] of hosts.entries()) {
    const first = hosts.slice(0, index).find((other) => hostsMeet(other, host));
    if (first === undefined) continue;
    const how = first === host ? 'stands here twice' : `and ${first} cover each other`;
    report('RIPSTOP_BAD_VALUE', 'error', ['spec', 'hosts', index], `duplicate hosts: ${host} ${how}; remove one`);
  }
}
