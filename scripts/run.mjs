#!/usr/bin/env node
// Starts every root script. Runs on Node 20 and brings the rest: pnpm, the project's own Node 24, the generated xDS codecs.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PNPM = 'pnpm@12.21.0';
const root = fileURLToPath(new URL('..', import.meta.url));
const startedIn = process.env.INIT_CWD ?? process.cwd(); // npm goes to the package root and leaves this.
process.chdir(root);
const [task, ...rest] = process.argv.slice(2);

/** Each task: the commands it runs in order, whether it needs the built packages, and whether the user's folder stays theirs. */
const TASKS = {
  demo: { build: true, run: [['node', 'examples/demo/dist/main.mjs']] },
  test: { build: true, run: [['vitest', 'run']] },
  'test:interop': { build: true, run: [['vitest', 'run']], env: { RIPSTOP_INTEROP: '1' } },
  build: { build: true, run: [] },
  types: { run: [['tsc', '-p', 'tsconfig.json']] },
  lint: { run: [['biome', 'check', '--error-on-warnings', '.']] },
  format: { run: [['biome', 'check', '--write', '.']] },
  deps: { run: [['node', 'scripts/check-dag.mjs']] },
  'gate:rotation': { run: [['node', '--conditions=development', 'test/security/rotation-gate.ts']] },
  docs: { run: [['node', '--conditions=development', 'scripts/generate-docs.mjs']] },
  knip: { run: [['knip']] },
  pack: { build: true, run: [['node', 'scripts/check-packages.mjs']] },
  bench: { build: true, run: [['node', 'test/bench/main.mjs']] },
  'bench:rules': { build: true, run: [['node', '--conditions=development', 'test/bench/rules.ts']] },
  'bench:control-plane': { build: true, run: [['node', 'test/bench/control-plane/main.mjs']] },
  'check:deps': { run: [['node', 'scripts/check-deps.mjs']] },
  'gate:router': { build: true, run: [['node', '--conditions=development', 'test/security/router-gate.ts']] },
  'gate:dos': { build: true, run: [['node', '--conditions=development', 'test/security/dos-gate.ts']] },
  'gate:security': { build: true, run: [['node', '--conditions=development', 'test/security/gate.ts']] },
  'gate:mutation': { build: true, run: [['node', '--conditions=development', 'test/mutation/gate.ts']] },
  'gate:memory': { build: true, run: [['node', 'test/bench/memory.mjs']] },
  'gate:load': { build: true, run: [['node', '--conditions=development', 'test/load/gate.ts']] },
  'gate:fuzz:routing': {
    run: [['vitest', 'run', '--testTimeout', '600000', 'packages/core/src/route/reference.fuzz.test.ts']],
    env: { RIPSTOP_FUZZ_TIMES: '10' },
  },
  'gate:fuzz': { run: [['node', '--conditions=development', 'test/fuzz/gate.ts']] },
  ripstop: { build: true, inPlace: true, run: [['node', join(root, 'packages/cli/dist/main.mjs')]] },
  install: { run: [] },
};

const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
delete env.NODE_ENV;

/** Runs one step and ends with its exit code when it fails; `tries` is for what a registry may refuse once. */
function step(title, command, args, tries = 1, quiet = false) {
  if (!quiet) process.stderr.write(`ripstop: ${title}\n`);
  const result = spawnSync(command, args, { stdio: ['ignore', 2, 2], env });
  if (result.status !== 0 && tries > 1) {
    process.stderr.write(`ripstop: that failed (${result.error?.message ?? `exit code ${result.status}`}); once more\n`);
    step(title, command, args, tries - 1);
  } else if (result.status !== 0) {
    process.stderr.write(`ripstop: ${title} failed (${result.error?.message ?? `exit code ${result.status}`})\n`);
    process.exit(result.status || 1);
  }
}

function newer(source, target) {
  return !existsSync(target) || statSync(source).mtimeMs > statSync(target).mtimeMs;
}

if (!task || !TASKS[task]) {
  process.stderr.write(`usage: node scripts/run.mjs <${Object.keys(TASKS).join('|')}> [arguments]\n`);
  process.exit(2);
}

if (newer('pnpm-lock.yaml', 'node_modules/.modules.yaml')) {
  // Node 20 starts this, Node 24 runs the packages: pnpm's warnings about the former mean nothing.
  step(
    'installing dependencies (first run only, about half a minute)',
    'npx',
    ['--yes', PNPM, 'install', '--frozen-lockfile', '--loglevel', 'error'],
    3,
  );
  utimesSync('node_modules/.modules.yaml', new Date(), new Date()); // pnpm leaves it as it is when there was nothing to do.
}
const codecs = ['scripts/generate-xds.mjs', ...readdirSync('packages/xds-api/src').map((name) => `packages/xds-api/src/${name}`)];
if (codecs.some((source) => source !== 'packages/xds-api/src/generated' && newer(source, 'packages/xds-api/dist/index.mjs'))) {
  step('generating the xDS codecs (first run only, about half a minute)', 'node', ['scripts/generate-xds.mjs']);
}
const spec = TASKS[task];
// The build says so itself, when there is something to build.
if (spec.build) step('building', 'node', ['scripts/build.mjs', ...(task === 'build' ? rest : [])], 1, true);
for (const [command, ...args] of spec.run) {
  const child = spawn(command, [...args, ...rest], {
    stdio: 'inherit',
    env: { ...env, ...spec.env },
    cwd: spec.inPlace ? startedIn : root,
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // On a terminal Ctrl-C reaches the whole group by itself; a second one would cut the first one's cleaning up short.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  const code = await new Promise((resolve) => child.on('exit', (exit, signal) => resolve(exit ?? (signal ? 1 : 0))));
  if (code !== 0) process.exit(code);
}
