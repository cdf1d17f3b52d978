import type { MeshObject } from '../object.ts';
import type { ServiceSpec } from '../types/core.ts';
import { type Labels, selects } from './labels.ts';
import { nameOf } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

type Service = MeshObject<ServiceSpec>;

/** Services that do not agree about the ports of one Deployment (Istio: MultiServiceAnalyzer). */
export const analyzeDeployments: Analyzer = (mesh, say) => {
  const byNamespace = Map.groupBy(mesh.all<ServiceSpec>('Service'), ({ metadata }) => metadata.namespace);
  for (const object of mesh.all<{ readonly template?: { readonly metadata?: { readonly labels?: Labels } } }>('apps/Deployment')) {
    const labels = object.spec.template?.metadata?.labels ?? {};
    const services = (byNamespace.get(object.metadata.namespace) ?? []).filter(({ spec }) => selectsSome(spec.selector, labels));
    if (services.length === 0) continue;
    checkProtocols(object, services, say);
    checkTargets(object, services, say);
  }
};

/** A Service without a selector selects nothing. */
function selectsSome(selector: Labels = {}, labels: Labels): boolean {
  return Object.keys(selector).length > 0 && selects(selector, labels);
}

function checkProtocols(object: MeshObject, services: readonly Service[], say: Say): void {
  const byPort = new Map<number, Map<string, string[]>>();
  for (const service of services)
    for (const { port, protocol = 'TCP' } of service.spec.ports ?? []) {
      const protocols = byPort.get(port) ?? new Map<string, string[]>();
      byPort.set(port, protocols.set(protocol, [...(protocols.get(protocol) ?? []), nameOf(service)]));
    }
  for (const [port, protocols] of byPort)
    if (protocols.size > 1)
      say(
        object,
        'IST0116',
        ['metadata', 'name'],
        `port ${port} is ${[...protocols].map(([protocol, names]) => `${protocol} in Service ${names.sort().join(', ')}`).join(' and ')}: one port of a workload has one protocol`,
      );
}

function checkTargets(object: MeshObject, services: readonly Service[], say: Say): void {
  const byTarget = new Map<string, Map<number, string>>();
  for (const service of services)
    for (const { port, targetPort } of service.spec.ports ?? []) {
      const target = String(targetPort === undefined || targetPort === 0 || targetPort === '' ? port : targetPort);
      byTarget.set(target, (byTarget.get(target) ?? new Map<number, string>()).set(port, nameOf(service)));
    }
  for (const [target, ports] of byTarget)
    if (ports.size > 1)
      say(
        object,
        'IST0137',
        ['metadata', 'name'],
        `targetPort "${target}" is ${[...ports].map(([port, name]) => `port ${port} in Service ${name}`).join(' and ')}: give it one port number in all of them`,
      );
}
