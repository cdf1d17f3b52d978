import { condition, type LocatedCondition, type ObjectStatus, type Problem, type StatusPart } from './conditions.ts';
import { type EvaluatedGateway, type GatewayListener, isOpened, takesRoutes } from './gateways.ts';
import { backendCertificateProblem } from './server-tls.ts';

/** What the mesh knows of the Services that run a Gateway. */
export interface ServicePorts {
  /** Ports of a Service of this host in a namespace; undefined when there is none. */
  ports(hostname: string, namespace: string): readonly { readonly port: number; readonly targetPort: number | string }[] | undefined;
}

/** Conditions of a Gateway and of its listeners (Istio: reportGatewayStatus, buildListener). `attached`: see TranslatedRoutes. */
export function gatewayStatus(evaluated: EvaluatedGateway, attached: ReadonlyMap<string, number>, services: ServicePorts): ObjectStatus {
  const { gateway, listeners } = evaluated;
  const path = ['spec'];
  return {
    object: gateway,
    conditions: [
      accepted(evaluated),
      programmed(evaluated, services),
      condition('ResolvedRefs', path, backendCertificateProblem(gateway.spec), { message: 'All references resolved' }),
    ],
    parts: listeners.map((listener) => listenerStatus(listener, attached.get(`${gateway.metadata.namespace}/${listener.name}`) ?? 0)),
  };
}

function accepted({ listeners, addressProblem }: EvaluatedGateway): LocatedCondition {
  const path = ['spec', 'listeners'];
  const valid = listeners.filter(isOpened).length;
  const none: Problem = { reason: 'ListenersNotValid', message: "None of the Gateway's listeners are valid", path };
  const problem = addressProblem ?? (listeners.length > 0 && valid === 0 ? none : undefined);
  if (valid < listeners.length) {
    return condition('Accepted', path, problem, {
      reason: 'ListenersNotValid',
      message: "One or more of the Gateway's listeners are invalid",
    });
  }
  return condition('Accepted', path, problem, { message: 'Resource accepted' });
}

/**
 * Which Services open the listeners' ports. A Gateway without an address is run by workloads with its name as label, so nothing has to
 * be there before they come.
 */
function programmed({ gateway, services, managed, listeners }: EvaluatedGateway, known: ServicePorts): LocatedCondition {
  const { namespace, name } = gateway.metadata;
  const path = ['spec', 'addresses'];
  if (managed) {
    return condition('Programmed', path, undefined, { message: `Resource programmed, run by workloads of gateway "${name}"` });
  }
  if (services.length === 0) {
    const message = 'Failed to assign to any requested addresses';
    return condition('Programmed', path, { reason: 'UnsupportedAddress', message, path }, { message: '' });
  }
  const internal: string[] = [];
  const warnings: string[] = [];
  for (const host of services) {
    const ports = known.ports(host, namespace);
    if (ports === undefined) warnings.push(`hostname "${host}" not found`);
    // A listener that is invalid keeps its port.
    for (const wanted of ports === undefined ? [] : new Set(listeners.filter(takesRoutes).map(({ listener }) => listener.port))) {
      if (ports!.some(({ port }) => port === wanted)) internal.push(`${host}:${wanted}`);
      else warnings.push(missingPort(wanted, host, ports!));
    }
  }
  const assigned = readable(internal.sort());
  if (warnings.length === 0)
    return condition('Programmed', path, undefined, { message: `Resource programmed, assigned to service(s) ${assigned}` });
  const why = warnings.sort().join('; ');
  const message =
    internal.length === 0
      ? `Failed to assign to any requested addresses: ${why}`
      : `Assigned to service(s) ${assigned}, but failed to assign to all requested addresses: ${why}`;
  return condition('Programmed', path, { reason: 'AddressNotUsable', message, path }, { message });
}

function missingPort(wanted: number, host: string, ports: NonNullable<ReturnType<ServicePorts['ports']>>): string {
  const hints = ports.filter(({ targetPort }) => targetPort === wanted).map(({ port }) => port);
  if (hints.length === 0) return `port ${wanted} not found for hostname "${host}"`;
  const hint = `(hint: the service port should be specified, not the workload port. Did you mean one of these ports: [${hints.join(' ')}]?)`;
  return `port ${wanted} not found for hostname "${host}" ${hint}`;
}

function readable(parts: readonly string[]): string {
  if (parts.length < 3) return parts.join(' and ');
  return `${parts.slice(0, -1).join(', ')}, and ${parts.at(-1)}`;
}

const CA_REASONS: ReadonlySet<string> = new Set(['InvalidCACertificateRef', 'InvalidCACertificateKind', 'RefNotPermitted']);

function listenerStatus({ listener, path, problems }: GatewayListener, attachedRoutes: number): StatusPart {
  const { conflict, kinds, protocol, tls } = problems;
  const good = { message: 'No errors found' };
  const badTls: Problem | undefined = tls && { reason: 'Invalid', message: 'Bad TLS configuration', path: tls.path };
  const badCa = tls !== undefined && CA_REASONS.has(tls.reason) ? { ...tls, reason: 'NoValidCACertificate' } : undefined;
  return {
    name: `listener ${listener.name}`,
    attachedRoutes,
    conditions: [
      condition('Accepted', path, conflict ?? protocol ?? badCa, good),
      condition('Programmed', path, conflict ?? badTls, good),
      ...(conflict === undefined ? [condition('ResolvedRefs', path, kinds ?? tls, good)] : []),
    ],
  };
}
