// Checks what is installed: known-good minimums, scripts that run at install, licences, weight. `npm run check:deps`.
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findingsOf, INSTALL_SCRIPTS, MAX_EXTERNAL, MAX_EXTERNAL_WITH_GRPC } from './deps/rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const store = join(root, 'node_modules/.pnpm');

const manifest = (dir) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
const packagesIn = (dir) =>
  readdirSync(dir).flatMap((entry) => (entry.startsWith('@') ? readdirSync(join(dir, entry)).map((name) => `${entry}/${name}`) : [entry]));

function installed() {
  return readdirSync(store).flatMap((entry) => {
    const dir = join(store, entry, 'node_modules');
    if (!existsSync(dir)) return [];
    return packagesIn(dir).flatMap((name) => {
      const path = join(dir, name);
      if (lstatSync(path).isSymbolicLink() || !existsSync(join(path, 'package.json'))) return [];
      const { version, license, licenses, scripts = {} } = manifest(path);
      const licence = typeof license === 'string' ? license : (license?.type ?? licenses?.map(({ type }) => type).join(' OR ') ?? '');
      return [{ name, version, licence, installScripts: ['preinstall', 'install', 'postinstall'].filter((script) => scripts[script]) }];
    });
  });
}

/** Names of everything from elsewhere that a package of ours brings along. */
function external(dir, seen = new Map()) {
  for (const name of Object.keys(manifest(dir).dependencies ?? {})) {
    const found = find(dir, name);
    if (found === undefined || seen.has(found)) continue;
    seen.set(found, name);
    external(found, seen);
  }
  return [...new Set(seen.values())].filter((name) => !name.startsWith('@ripstop/'));
}

function find(from, name) {
  for (let dir = from; dir !== dirname(dir); dir = dirname(dir)) {
    const path = join(dir, 'node_modules', name);
    if (existsSync(path)) return realpathSync(path);
  }
  return undefined;
}

const all = installed();
const findings = all.flatMap(findingsOf);
findings.push(...findingsOf({ name: 'node', version: process.version.slice(1), licence: 'MIT', installScripts: [] }));
const names = new Set(all.map(({ name }) => name));
findings.push(
  ...Object.keys(INSTALL_SCRIPTS).flatMap((name) =>
    names.has(name) ? [] : [`${name} is allowed to run at install and not there any more`],
  ),
);
for (const name of readdirSync(join(root, 'packages'))) {
  const dir = join(root, 'packages', name);
  if (!existsSync(join(dir, 'package.json')) || manifest(dir).private === true) continue;
  const brought = external(dir);
  const most = brought.includes('@grpc/grpc-js') ? MAX_EXTERNAL_WITH_GRPC : MAX_EXTERNAL;
  if (brought.length > most)
    findings.push(`@ripstop/${name} brings ${brought.length} packages along, more than ${most}: ${brought.join(' ')}`);
}
for (const finding of findings) console.error(finding);
console.log(`${all.length} packages installed, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
