import type { ConnectionPoolSettings, Destination } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';
import { checkDestination } from './destinations.ts';
import { checkScopedHost } from './gateway.ts';
import { checkPortName, hostProblem, isAddress } from './names.ts';
import { checkProtocol } from './protocols.ts';
import { checkConnectionPool } from './traffic-policy.ts';

interface Listener {
  readonly port?: Port;
  readonly bind?: string;
  readonly captureMode?: string;
}

interface Port {
  readonly number?: number;
  readonly protocol?: string;
  readonly name?: string;
  readonly targetPort?: number;
}

/** What of a Sidecar is checked as a whole. */
export interface SidecarFields {
  readonly egress?: readonly (Listener & { readonly hosts?: readonly string[] })[];
  readonly ingress?: readonly (Listener & {
    readonly defaultEndpoint?: string;
    readonly connectionPool?: ConnectionPoolSettings;
  })[];
  readonly inboundConnectionPool?: ConnectionPoolSettings;
  readonly outboundTrafficPolicy?: {
    readonly mode?: string;
    readonly egressProxy?: Destination;
  };
}

/** istiod's rules (ValidateSidecar). */
export function checkSidecar(spec: SidecarFields, report: Report): void {
  const { egress = [], ingress = [], inboundConnectionPool, outboundTrafficPolicy } = spec;
  if (egress.length + ingress.length === 0 && inboundConnectionPool === undefined && outboundTrafficPolicy === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec'], 'an empty Sidecar says nothing: give egress, ingress or outboundTrafficPolicy');
  checkPorts(egress, ['spec', 'egress'], report);
  checkPorts(ingress, ['spec', 'ingress'], report);
  for (const [index, { port, hosts = [], bind = '', captureMode }] of egress.entries()) {
    if (bind.startsWith('unix://') && captureMode === 'IPTABLES')
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        ['spec', 'egress', index, 'captureMode'],
        'nobody is led to a Unix socket by iptables: give NONE, or leave it out',
      );
    if (hosts.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'egress', index, 'hosts'], 'give at least one host');
    for (const [position, host] of hosts.entries()) checkScopedHost(host, 'Sidecar', ['spec', 'egress', index, 'hosts', position], report);
    if (port === undefined && index < egress.length - 1)
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        ['spec', 'egress', index],
        'the egress listener without port must be the last one, and the only one',
      );
  }
  checkConnectionPool(inboundConnectionPool, ['spec', 'inboundConnectionPool'], report);
  for (const [index, { defaultEndpoint = '', connectionPool }] of ingress.entries()) {
    checkConnectionPool(connectionPool, ['spec', 'ingress', index, 'connectionPool'], report);
    if (defaultEndpoint !== '' && !isLocalEndpoint(defaultEndpoint))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        ['spec', 'ingress', index, 'defaultEndpoint'],
        `${JSON.stringify(defaultEndpoint)} must be 127.0.0.1:<port>, 0.0.0.0:<port>, [::1]:<port>, [::]:<port> or unix://<path>`,
      );
  }
  checkEgressProxy(outboundTrafficPolicy, report);
}

function checkPorts(listeners: readonly Listener[], path: Path, report: Report): void {
  const taken = new Set<number>();
  const sockets = new Set<string>();
  for (const [index, { port, bind = '' }] of listeners.entries()) {
    // An egress listener may be a Unix socket, which has no port.
    const { number = 0 } = port ?? {};
    const socket = path[1] === 'egress' && number === 0 && bind.startsWith('unix://');
    if (port !== undefined && number === 0 && !socket)
      report('RIPSTOP_MISSING_FIELD', 'error', [...path, index, 'port', 'number'], 'a port needs its number');
    if (port !== undefined && bind !== '' && !isAddress(bind) && !socket)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index, 'bind'], `${JSON.stringify(bind)} is no IP address`);
    if ((port?.targetPort ?? 0) > 0)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index, 'port', 'targetPort'], 'targetPort has no effect in a Sidecar: remove it');
    if ((port?.name ?? '') !== '') checkPortName(port!.name!, [...path, index, 'port', 'name'], report);
    checkProtocol(port?.protocol, [...path, index, 'port', 'protocol'], report);
    if (socket && sockets.has(bind))
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index, 'bind'], `${JSON.stringify(bind)} stands here twice: join the two listeners`);
    if (socket) sockets.add(bind);
    if (number !== 0 && taken.has(number))
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index, 'port', 'number'], `port ${number} stands here twice: join the two listeners`);
    taken.add(number);
  }
}

function isLocalEndpoint(text: string): boolean {
  if (text.startsWith('unix://')) return text.length > 'unix://'.length;
  const [, port] = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\])?:(\d+)$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function checkEgressProxy(policy: SidecarFields['outboundTrafficPolicy'], report: Report): void {
  const proxy = policy?.egressProxy;
  if (proxy === undefined) return;
  const path = ['spec', 'outboundTrafficPolicy', 'egressProxy'];
  if (policy?.mode !== 'ALLOW_ANY') report('RIPSTOP_BAD_VALUE', 'error', path, 'an egressProxy needs mode ALLOW_ANY');
  const problem = hostProblem(proxy.host);
  if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, 'host'], problem);
  else checkDestination({ ...proxy, port: undefined }, path, report);
  if (proxy.port?.number === undefined)
    report('RIPSTOP_MISSING_FIELD', 'error', path, 'port must be given: the proxy has no port of its own');
}
