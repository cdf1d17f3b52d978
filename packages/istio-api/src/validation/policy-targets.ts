import type { PolicyTargetReference } from '../types/security.ts';
import type { Path, Report } from '../validate.ts';

interface Targeted {
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
}

/** A policy that is attached to what is not there would hold for nothing: it is refused. */
export function checkTargets({ targetRef, targetRefs }: Targeted, report: Report): void {
  if (targetRef !== undefined) checkTarget(targetRef, ['spec', 'targetRef'], report);
  for (const [index, target] of (targetRefs ?? []).entries()) checkTarget(target, ['spec', 'targetRefs', index], report);
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
