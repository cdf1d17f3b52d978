// Packs every public package and holds the tarball against publint and attw (ESM only): what npm users would get. Then installs all of
// them into an empty project, imports each and reads its types: a dependency that is not declared is not there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stagePackage } from './stage-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules/.bin', name);
const out = mkdtempSync(join(tmpdir(), 'ripstop-pack-'));
const { devDependencies: ownTypes } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { devDependencies: expressTypes } = JSON.parse(readFileSync(join(root, 'packages/express/package.json'), 'utf8'));
let bad = 0;

function run(title, command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  process.stderr.write(`${title}\n${result.stdout}${result.stderr}\n`);
  bad++;
  return undefined;
}

const folders = readdirSync(join(root, 'packages'))
  .sort()
  .filter((name) => existsSync(join(root, 'packages', name, 'package.json')));
const manifests = new Map(folders.map((name) => [name, JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'))]));
const versions = new Map([...manifests.values()].map(({ name, version }) => [name, version]));

const tarballs = {};
for (const [folder, manifest] of manifests) {
  if (manifest.private) continue;
  const stage = join(out, folder);
  stagePackage(root, join(root, 'packages', folder), stage, versions);
  for (const file of modulesBeyondAscii(join(stage, 'dist'))) {
    process.stderr.write(`${folder}: ${file} is not ASCII: V8 keeps its source with two bytes a character (scripts/ascii.mjs)\n`);
    bad++;
  }
  const packed = run(`${folder}: npm pack failed`, 'npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], stage);
  if (packed === undefined) continue;
  const tarball = join(out, JSON.parse(packed)[0].filename);
  tarballs[manifest.name] = `file:${tarball}`;
  run(`${folder}: publint`, bin('publint'), ['run', '--level', 'warning', '--strict', tarball], stage);
  run(`${folder}: attw`, bin('attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii'], stage);
  console.log(`${folder} packed and checked`);
}
checkInstalled();
rmSync(out, { recursive: true, force: true });
process.exit(bad === 0 ? 0 : 1);

function modulesBeyondAscii(dist) {
  const modules = readdirSync(dist).filter((name) => name.endsWith('.mjs'));
  return modules.filter((name) => /[^\0-\x7f]/.test(readFileSync(join(dist, name), 'utf8')));
}

function checkInstalled() {
  const app = join(out, 'app');
  mkdirSync(app);
  // What who writes TypeScript for Node and Express has by himself.
  const types = { '@types/node': ownTypes['@types/node'], '@types/express': expressTypes['@types/express'] };
  const manifest = { name: 'app', version: '1.0.0', type: 'module', dependencies: tarballs, devDependencies: types, overrides: tarballs };
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest));
  const names = JSON.stringify(Object.keys(tarballs));
  writeFileSync(
    join(app, 'import.js'),
    `for (const name of ${names}) if (Object.keys(await import(name)).length === 0) throw new Error(name);`,
  );
  const flags = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel', 'error'];
  if (run('npm install of the tarballs', 'npm', flags, app) === undefined) return;
  run('importing the installed packages', 'node', ['import.js'], app);
  // Without skipLibCheck: types that a declaration file leans on must come along, else a user's strict build fails or sees any.
  writeFileSync(join(app, 'types.ts'), [...Object.keys(tarballs)].map((name, at) => `export * as p${at} from '${name}';`).join('\n'));
  const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', 'types.ts'];
  run('the types of the installed packages', bin('tsc'), strict, app);
  run('the installed command', 'node', [join('node_modules', '.bin', 'ripstop'), 'version'], app);
  console.log('installed from the tarballs, and imported');
}
