import { readFileSync } from 'node:fs';
import { type Mutant, mutate } from './mutants.ts';
import { SOURCES } from './targets.ts';

export interface Sources {
  readonly mutants: readonly Mutant[];
  /** By path: the text with every mutant of the file in it. */
  readonly texts: ReadonlyMap<string, string>;
}

export function readSources(): Sources {
  const texts = new Map<string, string>();
  const mutants: Mutant[] = [];
  for (const file of SOURCES) {
    const changed = mutate(file, readFileSync(file, 'utf8'), mutants.length + 1);
    mutants.push(...changed.mutants);
    texts.set(file, changed.text);
  }
  return { mutants, texts };
}
