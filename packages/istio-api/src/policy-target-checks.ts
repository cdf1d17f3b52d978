import type { PolicyTargetReference } from './types/security.ts';
import type { Path, Report } from './validate.ts';

interface Targeted {
  readonly selector?: object;
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
}

/** A policy that is attached to what is not there would hold for nothing: it is refused. */
export function checkTargets({ selector, targetRef, targetRefs }: Targeted, report: Report): void {
  const given = [selector, targetRef, targetRefs].filter((field) => field !== undefined);
  if (given.length > 1) report('RIPSTOP_ONE_OF', 'error', ['spec'], 'only one of targetRefs, targetRef and selector can be given');
  if (targetRef !== undefined) checkTarget(targetRef, ['spec', 'targetRef'], report);
  for (const [index, target] of (targetRefs ?? []).entries()) checkTarget(target, ['spec', 'targetRefs', index], report);
}

function checkTarget({ group = '', kind = '', name = '', namespace = '' }: PolicyTargetReference, path: Path, report: Report): void {
  if (group !== 'gateway.networking.k8s.io' || kind !== 'Gateway')
    report(
      'RIPSTOP_UNSUPPORTED_FIELD',
      'error',
      path,
      `it would hold for nothing: a policy is attached to a Gateway of gateway.networking.k8s.io, not to a ${kind} of "${group}" (there are no waypoints); for workloads use selector`,
    );
  else if (name === '') report('RIPSTOP_MISSING_FIELD', 'error', [...path, 'name'], 'name must be given: which Gateway');
  if (namespace !== '')
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'namespace'], 'a Gateway of another namespace cannot be named: leave namespace out');
}
