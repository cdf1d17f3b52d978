import type { ServicePort, ServiceSpec } from '../types/core.ts';
import type { GatewaySpec } from '../types/networking.ts';
import { formatSelector, selects } from './labels.ts';
import type { Analyzer } from './say.ts';
import type { Workload } from './workloads.ts';

/** What istioctl takes for granted where the documents do not tell of a gateway: a default installation. */
const DEFAULT_SELECTOR = { istio: 'ingressgateway' };
const DEFAULT_PORTS = [80, 443, 31_400, 15_443];

/** Workloads of Gateways, and whether their Services have the ports (Istio: IngressGatewayPortAnalyzer). */
export const analyzeGatewayPorts: Analyzer = (mesh, say) => {
  const services = mesh.all<ServiceSpec>('Service');
  for (const object of mesh.all<GatewaySpec>('networking.istio.io/Gateway')) {
    const selector = object.spec.selector ?? {};
    const found = mesh.workloads.anywhere(selector);
    const isDefault = found.length === 0 && selects(selector, DEFAULT_SELECTOR);
    if (found.length === 0 && !isDefault) {
      // A gateway of Ripstop joins as it starts: documents that tell of no workload, or of its Service, are no sign that it is missing.
      if (mesh.workloads.areTold && !services.some(({ spec }) => selects(selector, spec.selector ?? {})))
        say(
          object,
          'IST0101',
          ['spec', 'selector'],
          `Referenced selector not found: "${formatSelector(selector)}": no workload has these labels; correct them, or start a gateway with them`,
        );
      continue;
    }
    const ports = new Set<number>();
    let isServed = false;
    for (const { namespace, labels } of found)
      for (const { spec, metadata } of services)
        if (metadata.namespace === namespace && Object.keys(spec.selector ?? {}).length > 0 && selects(spec.selector ?? {}, labels)) {
          isServed = true;
          for (const port of (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP'))
            for (const number of both(port)) ports.add(number);
        }
    if (!isServed && (isDefault || found.some((workload) => isDefaultGateway(workload))))
      for (const number of DEFAULT_PORTS) ports.add(number);
    for (const [index, { port }] of (object.spec.servers ?? []).entries())
      if (!ports.has(port.number))
        say(
          object,
          'IST0162',
          ['spec', 'servers', index, 'port', 'number'],
          `port ${port.number} is not in the Service of the gateway (${formatSelector(selector)}), which has ${[...ports].join(', ') || 'none'}: callers of that Service cannot reach it; add it there`,
        );
  }
};

/** The Service of a default installation, which the documents need not have, selects it. */
function isDefaultGateway({ namespace, labels }: Workload): boolean {
  return namespace === 'istio-system' && selects(DEFAULT_SELECTOR, labels);
}

function both({ port, targetPort }: ServicePort): number[] {
  return typeof targetPort === 'number' && targetPort !== 0 ? [port, targetPort] : [port];
}
