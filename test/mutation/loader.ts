import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Sources of the project whose modules are made anew with each generation; the generated codecs are large and hold no mutant. */
const OURS = /\/(packages\/(?!xds-api\/)[^/]+\/src|test)\//;
const OWN = new URL('.', import.meta.url).href;
const TEST_API = new URL('test-api.ts', import.meta.url).href;

/**
 * Loads the changed sources in place of those on disk. A module asked for with `?g=N` brings the modules that it imports in generation N
 * as well: a new generation runs what a module does at import once more.
 */
export function loadChanged(root: string, changed: ReadonlyMap<string, string>): void {
  const stripped = new Map<string, string>();
  registerHooks({
    resolve(specifier, context, next) {
      const fromUs = context.parentURL !== undefined && !context.parentURL.startsWith(OWN) && OURS.test(context.parentURL);
      if (specifier === 'vitest' && fromUs) return { url: TEST_API, shortCircuit: true };
      const found = next(specifier, context);
      if (fromUs && OURS.test(found.url)) edge(pathOf(root, context.parentURL!), pathOf(root, found.url));
      const generation = context.parentURL && /[?&]g=(\d+)/.exec(context.parentURL)?.[1];
      if (!generation || !OURS.test(found.url) || found.url.startsWith(OWN) || found.url.includes('?')) return found;
      return { ...found, url: `${found.url}?g=${generation}` };
    },
    load(url, context, next) {
      if (!OURS.test(url) || url.startsWith(OWN) || !/\.ts(\?|$)/.test(url)) return next(url, context);
      const path = pathOf(root, url);
      let source = stripped.get(path);
      if (source === undefined) {
        source = stripTypeScriptTypes(changed.get(path) ?? readFileSync(`${root}/${path}`, 'utf8'));
        stripped.set(path, source);
      }
      return { format: 'module', source, shortCircuit: true };
    },
  });
}

const imported = new Map<string, Set<string>>();

function edge(from: string, to: string): void {
  const known = imported.get(from);
  if (known === undefined) imported.set(from, new Set([to]));
  else known.add(to);
}

/** What the file imports, at any depth; paths from the root. */
export function importsOf(root: string, file: string): readonly string[] {
  const found = new Set([pathOf(root, pathToFileURL(`${root}/${file}`).href)]);
  for (const path of found) for (const next of imported.get(path) ?? []) found.add(next);
  return [...found];
}

function pathOf(root: string, url: string): string {
  return relative(root, fileURLToPath(url.replace(/\?.*/, '')));
}

let loads = 0;

/** The body of a test file runs at each call; what it imports, once per generation. */
export function importTest(root: string, file: string, generation: number): Promise<unknown> {
  return import(`${pathToFileURL(`${root}/${file}`).href}?g=${generation}&t=${++loads}`);
}
