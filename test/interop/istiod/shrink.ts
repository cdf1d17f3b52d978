import type { Difference } from './compare-mesh.ts';
import type { Document } from './mesh/document.ts';
import type { Mesh } from './mesh/random-mesh.ts';

/** What kind of difference it is, whatever the names: two of one kind most likely have one cause. */
export function kindOf({ where, text }: Difference): string {
  const [side = '', list = ''] = where.split(' ');
  return `${side} ${list} ${text.split(': wanted', 1)[0]?.replaceAll(/\[\d+\]/g, '[]')}`;
}

/**
 * Makes a mesh smaller as long as the same kind of difference stays: other nodes, then documents in halves, then fields. Ends when
 * nothing more can be left out, or when the time is over.
 */
export async function shrink(
  mesh: Mesh,
  difference: Difference,
  ask: (mesh: Mesh) => Promise<readonly Difference[]>,
  limitMs: number,
): Promise<Mesh> {
  const until = Date.now() + limitMs;
  const wanted = kindOf(difference);
  const stays = async (smaller: Mesh): Promise<boolean> =>
    Date.now() < until && (await ask(smaller).catch(() => [])).some((found) => kindOf(found) === wanted);
  let best = mesh;
  const attempt = async (smaller: Mesh): Promise<boolean> => {
    if (!(await stays(smaller))) return false;
    best = smaller;
    return true;
  };
  await attempt({ ...best, nodes: best.nodes.filter(({ Name }) => Name === difference.node) });
  await attempt({ ...best, config: {} });
  for (let size = Math.ceil(best.documents.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.documents.length; ) {
      const chunk = best.documents.slice(at, at + size).filter(({ kind }) => !FIXED_KINDS.has(kind));
      if (chunk.length === 0) {
        at += size;
        continue;
      }
      const documents = best.documents.filter((document) => !chunk.includes(document));
      if (!(await attempt({ ...best, documents }))) at += size;
    }
  }
  for (let index = 0; index < best.documents.length; index++) {
    const replace = (document: unknown): Mesh => ({ ...best, documents: best.documents.with(index, document as Document) });
    if (fixed(best.documents[index])) continue;
    await shrinkValue(
      () => best.documents[index],
      (value) => attempt(replace(value)),
      ['spec'],
    );
  }
  await shrinkValue(
    () => best.config,
    (value) => attempt({ ...best, config: value as Mesh['config'] }),
    [],
  );
  return best;
}

/** Machines and processes stay: without them services are not what they were. */
const FIXED_KINDS: ReadonlySet<string> = new Set(['Pod', 'Node', 'Namespace', 'EndpointSlice']);

/** Kubernetes' own documents belong together; parts of them are none that a cluster would hold. */
function fixed(document: Document | undefined): boolean {
  return document === undefined || !document.apiVersion.includes('istio.io');
}

type Path = readonly (string | number)[];

/** Leaves out what can be: each field and item, outer ones first. */
async function shrinkValue(current: () => unknown, attempt: (value: unknown) => Promise<boolean>, path: Path): Promise<void> {
  for (const key of keysAt(current(), path).reverse()) {
    if (await attempt(without(current(), [...path, key]))) continue;
    await shrinkValue(current, attempt, [...path, key]);
  }
}

function keysAt(value: unknown, path: Path): (string | number)[] {
  const found = path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
  if (Array.isArray(found)) return [...found.keys()];
  return typeof found === 'object' && found !== null ? Object.keys(found) : [];
}

function without(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined) return value;
  if (Array.isArray(value)) {
    const index = Number(key);
    return rest.length === 0 ? value.toSpliced(index, 1) : value.with(index, without(value[index], rest));
  }
  const object = value as Record<string, unknown>;
  if (rest.length > 0) return { ...object, [key]: without(object[key], rest) };
  const { [key]: _left, ...others } = object;
  return others;
}
