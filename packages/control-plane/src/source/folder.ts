import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A configuration file as it was read. */
export interface SourceFile {
  /** Path relative to the folder, with `/`. */
  readonly name: string;
  readonly text: string;
}

const EXTENSIONS = ['.yaml', '.yml', '.json'];

/**
 * Every configuration file under a folder, sorted by name. Hidden files and folders (editors' swap files, .git) and node_modules are
 * left alone. A file that vanishes while it is read is a file that is not there. `path` may also be one file.
 */
export function readFolder(path: string): SourceFile[] {
  if (statSync(path).isFile()) return [{ name: path.slice(path.lastIndexOf(sep) + 1), text: readFileSync(path, 'utf8') }];
  const files: SourceFile[] = [];
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !EXTENSIONS.some((extension) => entry.name.endsWith(extension))) continue;
    const file = join(entry.parentPath, entry.name);
    const name = relative(path, file).split(sep).join('/');
    if (name.split('/').some((part) => part.startsWith('.') || part === 'node_modules')) continue;
    const text = readIfThere(file);
    if (text !== undefined) files.push({ name, text });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
