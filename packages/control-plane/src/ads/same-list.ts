import { isSame } from '../push/reuse.ts';
import type { EncodedResource } from './encoded-resource.ts';

/** By the first resource, which goes when nobody has it any more. */
const lists = new WeakMap<EncodedResource, (readonly EncodedResource[])[]>();
const MAX_LISTS = 8;

/** The list of the very same resources that somebody made before, for whichever client: what is done with it is done once for all. */
export function sameList(list: readonly EncodedResource[]): readonly EncodedResource[] {
  const [first] = list;
  if (first === undefined) return list;
  let known = lists.get(first);
  if (known === undefined || known.length >= MAX_LISTS) {
    known = [];
    lists.set(first, known);
  }
  const same = known.find((other) => isSame(other, list, 1));
  if (same === undefined) known.push(list);
  return same ?? list;
}
