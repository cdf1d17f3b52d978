import type { MeshObject } from '../object.ts';
import type { Path } from '../path.ts';
import { formatSelector, type Labels } from './labels.ts';
import type { MeshDocuments } from './mesh-documents.ts';
import type { Say } from './say.ts';

export interface OnePerWorkload {
  readonly kind: string;
  /** Two without a selector. */
  readonly several: string;
  /** Two for one workload. */
  readonly overlap: string;
  readonly selectorPath: Path;
  readonly selectorOf: (object: MeshObject) => Labels | undefined;
}

/** Of some kinds one holds for a workload, and nobody knows which when there are two. */
export function checkOnePerWorkload(objects: readonly MeshObject[], mesh: MeshDocuments, rules: OnePerWorkload, say: Say): void {
  const general = new Map<string, MeshObject[]>();
  const specific = new Map<MeshObject, MeshObject[]>();
  const names = (all: readonly MeshObject[]): string =>
    all
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(', ');
  for (const object of objects) {
    const selector = rules.selectorOf(object) ?? {};
    const { namespace } = object.metadata;
    if (Object.keys(selector).length === 0) {
      general.set(namespace, [...(general.get(namespace) ?? []), object]);
      continue;
    }
    if (!mesh.workloads.areTold) continue;
    const found = mesh.workloads.in(namespace, selector);
    for (const workload of found) specific.set(workload.object, [...(specific.get(workload.object) ?? []), object]);
    if (found.length === 0)
      say(
        object,
        'IST0101',
        rules.selectorPath,
        `Referenced selector not found: "${formatSelector(selector)}": no workload of namespace ${namespace} has these labels; correct them, or start one`,
      );
  }
  for (const [namespace, all] of general)
    if (all.length > 1)
      for (const object of all)
        say(
          object,
          rules.several,
          ['metadata', 'name'],
          `the ${rules.kind} ${names(all)} of namespace ${namespace} have no selector: keep one`,
        );
  for (const [workload, all] of specific)
    if (all.length > 1)
      for (const object of all)
        say(
          object,
          rules.overlap,
          rules.selectorPath,
          `the ${rules.kind} ${names(all)} select the same workload ${workload.metadata.name}: let their selectors differ`,
        );
}
