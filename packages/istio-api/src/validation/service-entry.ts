import type { ObjectMeta } from '../object.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { checkExportTo } from './export-to.ts';
import { checkLabels, checkPortName, hostProblem, isAddress, isAddressRange, isSocketPath, UNIX, wildcardHostProblem } from './names.ts';
import { checkProtocol, isHttpProtocol, isTlsProtocol } from './protocols.ts';

/** istiod's rules (ValidateServiceEntry) beside those of the CRD. */
export function checkServiceEntry(spec: ServiceEntrySpec, { namespace, labels }: ObjectMeta, report: Report): void {
  const { resolution = 'NONE', hosts, ports = [], endpoints = [] } = spec;
  for (const [index, host] of hosts.entries()) {
    const problem = wildcardHostProblem(host);
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', ['spec', 'hosts', index], problem);
  }
  for (const [index, address] of (spec.addresses ?? []).entries()) {
    if (!isAddressRange(address))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        ['spec', 'addresses', index],
        `${JSON.stringify(address)} is no IP address and no range of addresses`,
      );
  }
  for (const [index, { name, protocol }] of ports.entries()) {
    checkPortName(name, ['spec', 'ports', index, 'name'], report);
    checkProtocol(protocol, ['spec', 'ports', index, 'protocol'], report);
  }
  const named = new Set(ports.map(({ name }) => name));
  for (const [index, endpoint] of endpoints.entries())
    checkEndpoint(endpoint, { named, names: resolution !== 'STATIC' }, ['spec', 'endpoints', index], report);
  if (resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN') checkNamesAskedFor(spec, resolution, report);
  if (resolution === 'DYNAMIC_DNS') checkDynamicDns(spec, labels, report);
  checkSeveralHosts(spec, resolution, report);
  checkExportTo(spec, namespace, 'ServiceEntry', report);
}

/** istiod's rules (ValidateWorkloadEntry). */
export function checkWorkloadEntry(spec: WorkloadEntrySpec, path: Path, report: Report): void {
  checkEndpoint(spec, { names: true }, path, report);
}

interface Place {
  /** Ports of the ServiceEntry; undefined: it is not known. */
  readonly named?: ReadonlySet<string>;
  /** Whether the address may be a host name. */
  readonly names: boolean;
}

function checkEndpoint(
  { address = '', network = '', ports = {}, labels }: WorkloadEntrySpec,
  { named, names }: Place,
  path: Path,
  report: Report,
): void {
  const bad = (field: Path, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', [...path, ...field], message);
  const socket = address.startsWith(UNIX);
  if (address === '' && (network === '' || (named !== undefined && names)))
    report(
      'RIPSTOP_MISSING_FIELD',
      'error',
      [...path, 'address'],
      'give the address; only with resolution STATIC may a network stand for it',
    );
  if (address !== '' && !socket && !isAddress(address) && !(names && hostProblem(address) === undefined))
    bad(
      ['address'],
      `${JSON.stringify(address)} is no IP address${names ? ' and no host name' : '; names are asked for with resolution DNS'}`,
    );
  if (socket && !isSocketPath(address.slice(UNIX.length)))
    bad(['address'], `${JSON.stringify(address)}: the path of a socket is whole, or begins with "@"`);
  if (socket && Object.keys(ports).length > 0) bad(['ports'], 'a Unix socket has no ports: remove them');
  if (socket && named !== undefined && named.size !== 1)
    bad(['address'], 'a Unix socket serves one port: give the ServiceEntry exactly one');
  for (const name of Object.keys(ports)) {
    if (named?.has(name) === false)
      bad(['ports', name], `port ${JSON.stringify(name)} is not one of this ServiceEntry (${[...named].join(', ')})`);
    checkPortName(name, [...path, 'ports', name], report);
  }
  checkLabels(labels, [...path, 'labels'], report);
}

/** Without endpoints the hosts themselves are asked for. */
function checkNamesAskedFor({ hosts, endpoints = [] }: ServiceEntrySpec, resolution: string, report: Report): void {
  const socket = endpoints.findIndex(({ address = '' }) => address.startsWith(UNIX));
  if (socket >= 0)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      ['spec', 'endpoints', socket, 'address'],
      `with resolution ${resolution} an endpoint is a name or an address: a Unix socket needs STATIC`,
    );
  const wrong = endpoints.length > 0 ? -1 : hosts.findIndex((host) => hostProblem(host) !== undefined);
  if (wrong >= 0)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      ['spec', 'hosts', wrong],
      `${JSON.stringify(hosts[wrong])} cannot be asked for: with resolution ${resolution} give endpoints, or whole names`,
    );
}

const DYNAMIC: ReadonlySet<string> = new Set(['HTTP', 'TLS', 'GRPC', 'HTTP2']);

/** The name that the client calls is asked for: it needs wildcards, and protocols that say it. */
function checkDynamicDns(spec: ServiceEntrySpec, labels: ObjectMeta['labels'], report: Report): void {
  const bad = (field: Path, message: string): void =>
    report('RIPSTOP_BAD_VALUE', 'error', ['spec', ...field], `with resolution DYNAMIC_DNS ${message}`);
  for (const [index, host] of spec.hosts.entries())
    if (!host.startsWith('*')) bad(['hosts', index], `a host is a wildcard, such as *.${host}`);
  if ((spec.addresses ?? []).length > 0) bad(['addresses'], 'there are no addresses: remove them');
  if ((spec.endpoints ?? []).length > 0) bad(['endpoints'], 'there are no endpoints: remove them');
  for (const [index, { protocol = '' }] of (spec.ports ?? []).entries())
    if (!DYNAMIC.has(protocol.toUpperCase()))
      bad(['ports', index, 'protocol'], `a port is ${[...DYNAMIC].join(', ')}, not ${JSON.stringify(protocol)}`);
  const waypoint = labels['istio.io/use-waypoint'] ?? '';
  if (spec.location === 'MESH_INTERNAL' && waypoint !== '' && waypoint.toLowerCase() !== 'none')
    bad(['location'], 'a service that has a waypoint is MESH_EXTERNAL');
}

/** HTTP says the host, TLS its name; of plain bytes nobody knows which host they are for. */
function checkSeveralHosts({ hosts, ports = [] }: ServiceEntrySpec, resolution: string, report: Report): void {
  const bytes = ports.findIndex(({ protocol }) => !isHttpProtocol(protocol) && !isTlsProtocol(protocol));
  if (resolution !== 'NONE' && hosts.length > 1 && bytes >= 0)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      ['spec', 'hosts'],
      'several hosts on a TCP port cannot be told apart: give each its own ServiceEntry',
    );
}
