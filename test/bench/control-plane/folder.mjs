// A folder of YAML for one run, gone at the end of its scope.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function meshFolder(files) {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-bench-'));
  const path = join(dir, 'mesh');
  mkdirSync(path);
  for (const [name, text] of files) writeFileSync(join(path, name), text);
  return { path, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
