import type { DescribedWorkload, ServiceDescription, WorkloadDescription } from '@ripstop/control-plane';
import { formatFinding } from '@ripstop/istio-api';

/** Lines, indented by two spaces a level. */
type Lines = readonly string[];

/** A service as `istioctl experimental describe` tells it, with file and line. */
export function serviceText(service: ServiceDescription): string {
  return serviceLines(service).join('\n');
}

export function workloadText({ services, ...workload }: WorkloadDescription): string {
  const own = [`Workload: ${workload.name}`, ...indented(workloadLines(workload))];
  return [own, ...services.map(serviceLines)].map((lines) => lines.join('\n')).join('\n--------------------\n');
}

function serviceLines({ name, at, host, ports, virtualServices, destinationRule, workloads, findings }: ServiceDescription): Lines {
  const rule = destinationRule;
  return [
    `Service: ${name} (${at})`,
    ...indented([
      `Host: ${host}`,
      ...ports.map(
        ({ port, name: called, protocol, targetPort, endpoints }) =>
          `Port: ${called === '' ? '' : `${called} `}${port}/${protocol} targets pod port ${targetPort}, ${countOf(endpoints, 'endpoint')}`,
      ),
      ...(rule === undefined
        ? ['DestinationRule: none']
        : [
            `DestinationRule: ${rule.name} for "${rule.host}" (${rule.at})`,
            ...indented([
              ...(rule.settings.length === 0 ? [] : [`Settings: ${rule.settings.join(', ')}`]),
              `TLS: ${rule.tls ?? 'mTLS where the endpoint speaks it (auto)'}`,
              ...rule.subsets.map(
                ({ name: subset, labels, endpoints }) => `Subset: ${subset} (${labelText(labels)}), ${countOf(endpoints, 'endpoint')}`,
              ),
            ]),
          ]),
      ...(virtualServices.length === 0 ? ['VirtualService: none; requests go to every endpoint'] : []),
      ...virtualServices.flatMap((entry) => [
        `VirtualService: ${entry.name} (${entry.at})${entry.used ? '' : ': NOT USED, an older one has the host'}`,
        ...indented([`Gateways: ${entry.gateways.join(', ')}`, ...entry.routes]),
      ]),
      ...(workloads.length === 0
        ? ['Workloads: none']
        : workloads.flatMap((workload) => [`Workload: ${workload.name}`, ...indented(workloadLines(workload))])),
      ...findings.map((finding) => `${finding.severity}: ${formatFinding(finding)}`),
    ]),
  ];
}

function workloadLines({
  address,
  labels,
  serviceAccount,
  health,
  mtls,
  policies,
  requestAuthentications,
  unenforced,
}: DescribedWorkload): Lines {
  const other = Object.entries(mtls.ports).map(([port, mode]) => `, port ${port}: ${mode}`);
  const from = mtls.from.length === 0 ? 'by default' : mtls.from.map(({ name, at }) => `${name} ${at}`).join(', ');
  return [
    `Address: ${address}, ${health}, service account ${serviceAccount === '' ? 'default' : serviceAccount}, labels ${labelText(labels)}`,
    `mTLS: ${mtls.mode}${other.join('')} (${from})`,
    ...(policies.length === 0 ? ['AuthorizationPolicy: none; everybody may call'] : []),
    ...policies.map(({ name, at, action, dryRun }) => `AuthorizationPolicy: ${action} ${name} (${at})${dryRun ? ', dry run' : ''}`),
    ...requestAuthentications.map(({ name, at }) => `RequestAuthentication: ${name} (${at})`),
    ...unenforced.map(
      ({ kind, name, at }) =>
        `REFUSES EVERY REQUEST${kind === 'EnvoyFilter' ? '' : ' in Node'}: ${kind} ${name} (${at}) cannot be enforced${kind === 'EnvoyFilter' ? '' : ' there'}`,
    ),
  ];
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return text.length === 0 ? 'no labels' : text.join(',');
}

function indented(lines: Lines): Lines {
  return lines.map((line) => `  ${line}`);
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
