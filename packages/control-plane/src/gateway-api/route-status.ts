import type { MeshObject } from '@ripstop/istio-api';
import { condition, joined, type ObjectStatus, type Path, type Problem, type StatusPart } from './conditions.ts';
import type { ParentRef } from './route-types.ts';

/** What became of one parentRef of a route. */
export interface ParentResult {
  readonly parent: ParentRef;
  readonly path: Path;
  /** Why listeners did not take it. */
  readonly denials: readonly Problem[];
  /** How many listeners, or Services, did. */
  readonly accepted: number;
  /** What is wrong with its rules. */
  readonly problems: readonly Problem[];
}

/** From the most to the least telling: it is reported when no listener takes the route (Istio: createRouteStatus). */
const SEVERITY = ['NotAllowedByListeners', 'NoMatchingListenerHostname', 'ParentRefConflict', 'NoMatchingParent'];

export function routeStatus(object: MeshObject, parents: readonly ParentResult[]): ObjectStatus {
  return { object, conditions: [], parts: parents.map(parentStatus) };
}

function parentStatus({ parent, path, denials, accepted, problems }: ParentResult): StatusPart {
  const { kind = 'Gateway', name, sectionName } = parent;
  const message = accepted > 1 ? `Route was valid, bound to ${accepted} parents` : 'Route was valid';
  return {
    name: `parent ${kind} ${name}${sectionName === undefined ? '' : ` ${sectionName}`}`,
    conditions: [
      condition('Accepted', path, accepted > 0 ? undefined : (worst(denials) ?? noListener(path)), { message }),
      condition('ResolvedRefs', path, joined(problems), { message: 'All references resolved' }),
    ],
  };
}

function worst(denials: readonly Problem[]): Problem | undefined {
  for (const reason of SEVERITY) {
    const found = joined(denials.filter((problem) => problem.reason === reason));
    if (found !== undefined) return found;
  }
  return joined(denials);
}

function noListener(path: Path): Problem {
  return { reason: 'NoMatchingParent', message: 'the parent has no listeners', path };
}
