import type { MeshObject } from '@ripstop/istio-api';
import { isSame } from './reuse.ts';

interface Kind {
  readonly found: readonly MeshObject[];
  readonly ordered: readonly MeshObject[];
}

/** The documents of a push by kind. A kind of which nothing changed has the same array as in the push before. */
export class ObjectsByKind {
  private readonly kinds = new Map<string, Kind>();
  private readonly objects: readonly MeshObject[];

  constructor(objects: readonly MeshObject[], before?: ObjectsByKind) {
    this.objects = objects;
    if (before?.objects === objects) {
      this.kinds = before.kinds;
      return;
    }
    for (const [kind, found] of Map.groupBy(objects, (object) => object.kind)) {
      const known = before?.kinds.get(kind);
      this.kinds.set(kind, known !== undefined && isSame(known.found, found, 1) ? known : { found, ordered: [...found].sort(byAge) });
    }
  }

  /** Oldest first. */
  of<S>(kind: string): readonly MeshObject<S>[] {
    return (this.kinds.get(kind)?.ordered ?? NONE) as readonly MeshObject<S>[];
  }

  /** Every document but those of some kinds, oldest first within its kind. */
  except(kinds: ReadonlySet<string>): readonly MeshObject[] {
    return [...this.kinds].flatMap(([kind, { ordered }]) => (kinds.has(kind) ? [] : ordered));
  }
}

const NONE: readonly MeshObject[] = [];

/** Istio's order everywhere: oldest first, then name, then namespace. */
export function byAge(a: MeshObject, b: MeshObject): number {
  const age = a.metadata.creationTimestamp - b.metadata.creationTimestamp;
  if (age !== 0) return age;
  if (a.metadata.name !== b.metadata.name) return a.metadata.name < b.metadata.name ? -1 : 1;
  return a.metadata.namespace < b.metadata.namespace ? -1 : a.metadata.namespace > b.metadata.namespace ? 1 : 0;
}
