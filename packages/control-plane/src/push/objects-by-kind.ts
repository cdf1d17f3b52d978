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
    const replaced = before && replacements(before.objects, objects);
    if (before !== undefined && replaced !== undefined) {
      this.kinds = new Map(before.kinds);
      for (const kind of new Set([...replaced.values()].map((object) => object.kind)))
        this.kinds.set(kind, withReplaced(before.kinds.get(kind)!, replaced));
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

  /** Kinds with their documents, oldest first. */
  get lists(): readonly (readonly [string, readonly MeshObject[]])[] {
    return [...this.kinds].map(([kind, { ordered }]) => [kind, ordered]);
  }

  /** Every document but those of some kinds, oldest first within its kind. */
  except(kinds: ReadonlySet<string>): readonly MeshObject[] {
    return [...this.kinds].flatMap(([kind, { ordered }]) => (kinds.has(kind) ? [] : ordered));
  }
}

/** An edit mostly puts a few documents in the place of others of their kind; undefined: it did more. */
function replacements(before: readonly MeshObject[], after: readonly MeshObject[]): Map<MeshObject, MeshObject> | undefined {
  if (before.length !== after.length) return undefined;
  const found = new Map<MeshObject, MeshObject>();
  for (let at = 0; at < after.length; at++) {
    const [old, now] = [before[at]!, after[at]!];
    if (old === now) continue;
    if (old.kind !== now.kind || found.size >= MAX_REPLACED) return undefined;
    found.set(old, now);
  }
  return found;
}

const MAX_REPLACED = 100;

function withReplaced({ found, ordered }: Kind, replaced: ReadonlyMap<MeshObject, MeshObject>): Kind {
  const fresh = (object: MeshObject): MeshObject => replaced.get(object) ?? object;
  return { found: found.map(fresh), ordered: ordered.map(fresh).sort(byAge) };
}

const NONE: readonly MeshObject[] = [];

/** Istio's order everywhere: oldest first, then name, then namespace. */
export function byAge(a: MeshObject, b: MeshObject): number {
  const age = a.metadata.creationTimestamp - b.metadata.creationTimestamp;
  if (age !== 0) return age;
  if (a.metadata.name !== b.metadata.name) return a.metadata.name < b.metadata.name ? -1 : 1;
  return a.metadata.namespace < b.metadata.namespace ? -1 : a.metadata.namespace > b.metadata.namespace ? 1 : 0;
}
