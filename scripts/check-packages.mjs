// Packs every public package and holds the tarball against publint and attw (ESM only): what npm users would get.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules/.bin', name);
const out = mkdtempSync(join(tmpdir(), 'ripstop-pack-'));
let bad = 0;

for (const name of readdirSync(join(root, 'packages')).sort()) {
  const dir = join(root, 'packages', name);
  if (JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).private) continue;
  const pack = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], { cwd: dir, encoding: 'utf8' });
  if (pack.status !== 0) {
    process.stderr.write(`${name}: npm pack failed\n${pack.stderr}\n`);
    bad++;
    continue;
  }
  const tarball = join(
    out,
    readdirSync(out).find((file) => file.startsWith(`ripstop-${name}-`) && /-\d/.test(file.slice(`ripstop-${name}`.length))),
  );
  for (const [tool, args] of [
    ['publint', ['run', '--level', 'warning', tarball]],
    ['attw', [tarball, '--profile', 'esm-only', '--format', 'ascii']],
  ]) {
    const result = spawnSync(bin(tool), args, { cwd: dir, encoding: 'utf8' });
    if (result.status !== 0) {
      process.stderr.write(`${name}: ${tool}\n${result.stdout}${result.stderr}\n`);
      bad++;
    }
  }
  console.log(`${name} packed and checked`);
}
rmSync(out, { recursive: true, force: true });
process.exit(bad === 0 ? 0 : 1);
