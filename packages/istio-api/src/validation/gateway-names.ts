import type { Path, Report } from '../validate.ts';
import { hostProblem, isDnsLabel } from './names.ts';

/** Gateways of a VirtualService: `namespace/name`, or a name alone (Istio: validateGatewayNames). */
export function checkGatewayNames(gateways: readonly string[] | undefined, path: Path, report: Report): void {
  for (const [index, gateway] of (gateways ?? []).entries()) {
    const problem = problemOf(gateway);
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, index], problem);
    // istiod looks at none behind a short name.
    if (!gateway.includes('/')) return;
  }
}

function problemOf(gateway: string): string | undefined {
  const slash = gateway.indexOf('/');
  if (slash < 0) return hostProblem(gateway);
  return isDnsLabel(gateway.slice(0, slash)) && isDnsLabel(gateway.slice(slash + 1))
    ? undefined
    : `${JSON.stringify(gateway)} is no Gateway: write namespace/name`;
}
