import { readFileSync, statSync } from 'node:fs';
import type { SourceFile } from '@ripstop/control-plane';

/** The YAML files of some folders and files, named by the paths as they were given; `-` is standard input. Throws for a path that is not there. */
export async function readSources(paths: readonly string[]): Promise<SourceFile[]> {
  const { readFolder } = await import('@ripstop/control-plane');
  return paths.flatMap((path) => {
    if (path === '-') return [{ name: '-', text: readFileSync(0, 'utf8') }];
    const prefix = path.replace(/[/\\]+$/, '') || '/';
    const kind = statSync(path, { throwIfNoEntry: false });
    if (kind === undefined) throw new Error(`there is no file or folder ${path}: name the one that holds the YAML`);
    if (kind.isFile()) return [{ name: prefix, text: readFileSync(path, 'utf8') }];
    return readFolder(path).map(({ name, text }) => ({ name: prefix === '.' ? name : `${prefix}/${name}`, text }));
  });
}
