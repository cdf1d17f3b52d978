import type { FilterFactory } from '@ripstop/core';

/** A factory whose configuration type nobody outside needs to know. */
export type AnyFilterFactory = FilterFactory<unknown>;

/** Hides a factory's configuration type, so that factories of all kinds fit one registry. */
export function erase<C>(factory: FilterFactory<C>): AnyFilterFactory {
  return factory as unknown as AnyFilterFactory;
}
