// Builds the packages in DAG order of their imports; a package whose sources did not change since its last build is left alone.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAscii } from './ascii.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

function newest(dir) {
  let time = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules' || entry.name.endsWith('.test.ts')) continue;
    const path = join(dir, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}

const folders = ['packages', 'examples'].flatMap((group) =>
  existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => join(root, group, name)) : [],
);
const stale = folders.filter((dir) => {
  if (!existsSync(join(dir, 'package.json')) || dir.endsWith('xds-api') || !existsSync(join(dir, 'src'))) return false;
  const stamp = join(dir, 'dist');
  return !existsSync(stamp) || newest(dir) > statSync(stamp).mtimeMs;
});

if (stale.length > 0) process.stderr.write('ripstop: building\n');
const common = ['--format', 'esm', '--platform', 'node', '--target', 'node22.19', '--tsconfig', join(root, 'tsconfig.json')];
for (const dir of stale) {
  const { ripstopEntries, private: isPrivate } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  const entries = (ripstopEntries ?? ['src/index.ts', 'src/main.ts', 'src/register.ts']).filter((file) => existsSync(join(dir, file)));
  const args = [...entries, ...common, '--no-config', isPrivate ? '--no-dts' : '--dts.oxc', '--clean', '--logLevel', 'error'];
  const result = spawnSync(join(root, 'node_modules/.bin/tsdown'), args, { cwd: dir, encoding: 'utf8' });
  if (result.status !== 0) {
    process.stderr.write(`${dir.slice(root.length)}: build failed\n${result.stdout}${result.stderr}\n`);
    process.exit(1);
  }
  writeAscii(join(dir, 'dist'));
}
if (stale.length > 0) process.stderr.write(`built ${stale.map((dir) => dir.split('/').at(-1)).join(', ')}\n`);
