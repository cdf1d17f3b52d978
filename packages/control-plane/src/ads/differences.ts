import type { EncodedResource } from './encoded-resource.ts';
import type { Names } from './holding.ts';
import type { TypeState } from './type-state.ts';

/** What there is of a type, as far as it was looked at. */
export interface Found {
  readonly resources: readonly EncodedResource[];
  /** What was looked at; undefined: everything. */
  readonly names: Names | undefined;
  /** What there was of a type that is sent whole. */
  readonly before: readonly EncodedResource[];
  /** Nothing but resources of these names. */
  readonly exact: boolean;
  /** Which of the client's subscriptions it was looked up for, as `TypeState.subscription` counts them. */
  readonly subscription: number;
  /** When the looking began. */
  readonly startedMs: number;
}

export interface Sent {
  readonly changed: readonly EncodedResource[];
  /** Those of them that the client did not have. */
  readonly added: readonly EncodedResource[];
}

interface Differences extends Sent {
  /** How many of the resources the client has in some version. */
  readonly held: number;
}

export const NOTHING: Names = new Set<string>();
export const NOTHING_SENT: Sent = { changed: [], added: [] };

/** What of the resources the client does not have, or is to get all the same. */
export function differences({ versions }: TypeState, { resources, names, exact }: Found, force: Names): Differences {
  // A client that has just come: the list as it is, which many have in common.
  if (versions.size === 0 && (names === undefined || exact || resources.every(({ name }) => names.has(name))))
    return { changed: resources, added: resources, held: 0 };
  const changed: EncodedResource[] = [];
  const added: EncodedResource[] = [];
  let held = 0;
  for (const resource of resources) {
    const { name, version } = resource;
    const known = versions.version(name);
    if (known !== undefined) held++;
    if ((names !== undefined && !names.has(name)) || (known === version && !force.has(name))) continue;
    changed.push(resource);
    if (known === undefined) added.push(resource);
  }
  // The list as it is, where all of it goes: others are sent the same.
  return { changed: changed.length === resources.length ? resources : changed, added, held };
}

/** Names that the client has, or asked for just now, and that do not exist. */
export function missing({ versions }: TypeState, { resources, exact }: Found, names: Names | undefined, asked: Names): string[] {
  // All that was asked for is there: nearly always.
  if (names !== undefined && exact && resources.length === names.size) return [];
  const present = new Set(resources.map(({ name }) => name));
  const candidates = names ?? new Set([...versions, ...asked]);
  return [...candidates].filter((name) => !present.has(name) && (versions.has(name) || asked.has(name)));
}

/** The resources of these names. */
export function these(names: readonly string[], resources: readonly EncodedResource[]): EncodedResource[] {
  if (names.length === 0) return [];
  const wanted = new Set(names);
  return resources.filter(({ name }) => wanted.has(name));
}

/** What was found, as if nobody had looked at these names. */
export function without(found: Found, names: readonly string[]): Found {
  if (names.length === 0) return found;
  const leaving = new Set(names);
  return { ...found, exact: false, names: new Set([...(found.names ?? [])].filter((name) => !leaving.has(name))) };
}

/** Names that are in both. */
export function both(a: Names, b: Names): Set<string> {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  return new Set([...few].filter((name) => many.has(name)));
}
