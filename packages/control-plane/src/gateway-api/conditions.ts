import type { MeshObject } from '@ripstop/istio-api';

export type Path = readonly (string | number)[];

/** Why something cannot be honoured, in the words of the Gateway API's status. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
  /** The field at fault. */
  readonly path: Path;
}

/** A status condition as istiod would write it, without its times. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** A condition and the field that a finding about it points to. */
export interface LocatedCondition extends Condition {
  readonly path: Path;
}

/** What a document's status would be: its own conditions, and those of its listeners, parents or ancestors. */
export interface ObjectStatus {
  readonly object: MeshObject;
  readonly conditions: readonly LocatedCondition[];
  readonly parts: readonly StatusPart[];
}

/** Status of one listener of a Gateway, one parent of a route, one target of a policy. */
export interface StatusPart {
  /** `listener http`, `parent Gateway edge`. */
  readonly name: string;
  readonly conditions: readonly LocatedCondition[];
  /** Routes bound to a listener. */
  readonly attachedRoutes?: number;
}

/** A condition that holds unless there is a problem. `good`: its reason and message then. */
export function condition(
  type: string,
  path: Path,
  problem: Problem | undefined,
  good: { readonly reason?: string; readonly message: string },
): LocatedCondition {
  if (problem !== undefined) return { type, status: 'False', ...problem };
  return { type, status: 'True', reason: good.reason ?? type, message: good.message, path };
}

/** Several problems of one condition: the reason and the place of the first, all messages. */
export function joined(problems: readonly Problem[]): Problem | undefined {
  const [first] = problems;
  return first === undefined ? undefined : { ...first, message: [...new Set(problems.map(({ message }) => message))].join('; ') };
}
