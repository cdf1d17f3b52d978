import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dump, IstiodCase, RecordedNode } from './istiod-process.ts';

/** What was recorded of a real istiod; undefined when the data is not here. */
export function recordedCases(): { readonly folder: string; readonly names: readonly string[] } {
  const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../shared/conformance');
  const folder = join(root, 'istiod-xds');
  if (!existsSync(folder)) return { folder, names: [] };
  return {
    folder,
    names: readdirSync(folder)
      .filter((entry) => !entry.includes('.'))
      .sort(),
  };
}

export function recordedInput(folder: string): IstiodCase {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');
  return {
    documents: files
      .filter((file) => file !== 'mesh.yaml')
      .flatMap((file) => textOf(file).split(/^---$/m))
      .filter((document) => /^kind:/m.test(document)),
    mesh: files.includes('mesh.yaml') ? textOf('mesh.yaml') : '',
    nodes: JSON.parse(readFileSync(join(folder, 'nodes.json'), 'utf8')) as RecordedNode[],
  };
}

export function recordedDump(file: string): Dump {
  return JSON.parse(readFileSync(file, 'utf8')) as Dump;
}
