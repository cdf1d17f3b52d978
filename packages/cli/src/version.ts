import { readFileSync } from 'node:fs';

/** The version of this package, from its package.json; the same place from src and from dist. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version: unknown }).version);
}
