import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root: string = join(import.meta.dirname, '../..');

const SKIPPED = new Set(['node_modules', 'dist', 'generated', 'testing', '.git']);

/** Files below a folder whose name ends so, dependencies and generated code left out. */
export function filesBelow(dir: string, ending: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path, ending);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

/** Text of every source file of the packages, tests left out. */
export function packageSources(): string {
  return filesBelow(join(root, 'packages'), '.ts')
    .filter((file) => file.includes('/src/') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}
