import type { PolicyTargetReference } from '../types/security.ts';
import type { Path, Report } from '../validate.ts';

/** What says which objects it is for. */
export interface Targeted {
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
}

/** A policy that is attached to what is not there would hold for nothing: it is refused. */
export function checkTargets({ targetRef, targetRefs }: Targeted, report: Report): void {
  if (targetRef !== undefined) checkTarget(targetRef, ['spec', 'targetRef'], report);
  for (const [index, target] of (targetRefs ?? []).entries()) checkTarget(target, ['spec', 'targetRefs', index], report);
}

/** Group and kind of what istiod attaches extensions to; `core` is another name of the first. */
const EXTENDED: readonly (readonly [string, string])[] = [
  ['', 'Service'],
  ['core', 'Service'],
  ['networking.istio.io', 'ServiceEntry'],
  ['gateway.networking.k8s.io', 'Gateway'],
  ['gateway.networking.k8s.io', 'GatewayClass'],
];

/** Of a WasmPlugin or TrafficExtension (Istio: validatePolicyTargetReferences). */
export function checkExtensionTargets({ targetRef, targetRefs = [] }: Targeted, report: Report): void {
  const all = targetRefs.map((target, index): [PolicyTargetReference, Path] => [target, ['spec', 'targetRefs', index]]);
  if (targetRef !== undefined) all.push([targetRef, ['spec', 'targetRef']]);
  for (const [{ group = '', kind = '' }, path] of all)
    if (!EXTENDED.some(([knownGroup, knownKind]) => group === knownGroup && kind === knownKind))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        path,
        `a ${kind} of "${group}" cannot be extended: give a Service of "", a ServiceEntry of "networking.istio.io", or a Gateway or GatewayClass of "gateway.networking.k8s.io"`,
      );
}

function checkTarget({ group = '', kind = '' }: PolicyTargetReference, path: Path, report: Report): void {
  if (group !== 'gateway.networking.k8s.io' || kind !== 'Gateway')
    report(
      'RIPSTOP_UNSUPPORTED_FIELD',
      'error',
      path,
      `it would hold for nothing: a policy is attached to a Gateway of gateway.networking.k8s.io, not to a ${kind} of "${group}" (there are no waypoints); for workloads use selector`,
    );
}
