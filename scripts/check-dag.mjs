// Checks that packages import only downward (docs/design: the DAG), that drivers stay clear of protobuf, and that no files form a cycle.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Package → packages it may import. Levels in comments; an entry here is a decision, not a convenience. */
const MAY_IMPORT = {
  'xds-api': [],
  'istio-api': [],
  pki: [], // L0
  core: [], // L1
  compile: ['core', 'xds-api'],
  'xds-client': ['core', 'xds-api'],
  identity: ['core', 'xds-api', 'pki'], // L2
  jwt: ['core', 'xds-api'],
  telemetry: ['core'],
  undici: ['core'],
  server: ['core'],
  grpc: ['core'],
  // L3. node → control-plane is the embedded translator (RIPSTOP_CONFIG=file:…), imported lazily: docs/design/decisions.md.
  'control-plane': ['istio-api', 'xds-api', 'pki'],
  node: ['core', 'compile', 'xds-client', 'identity', 'jwt', 'telemetry', 'undici', 'server', 'grpc', 'xds-api', 'control-plane'],
  express: ['node'],
  fastify: ['node'],
  gateway: ['node', 'core', 'server', 'undici'],
  kube: ['control-plane', 'istio-api'],
  testing: ['control-plane', 'node', 'core'],
  dashboard: [], // L4
  cli: ['control-plane', 'gateway', 'istio-api', 'node', 'kube', 'dashboard', 'core', 'compile', 'xds-api', 'pki'],
};

const sources = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (['dist', 'node_modules', 'generated'].includes(entry.name)) return [];
    const path = join(dir, entry.name);
    return entry.isDirectory() ? sources(path) : /\.tsx?$/.test(entry.name) ? [path] : [];
  });

const problems = [];
const graph = new Map();
for (const name of readdirSync(join(root, 'packages'))) {
  const src = join(root, 'packages', name, 'src');
  if (!existsSync(src)) continue;
  if (!MAY_IMPORT[name]) {
    problems.push(`packages/${name}: unknown to the DAG; add it to scripts/check-dag.mjs`);
    continue;
  }
  const declared = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  const known = new Set(Object.keys({ ...declared.dependencies, ...declared.peerDependencies }));
  for (const file of sources(src)) {
    const test = file.endsWith('.test.ts') || file.includes('/testing/');
    const edges = [];
    for (const [statement, specifier] of readFileSync(file, 'utf8')
      .matchAll(/^\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)
      .map((m) => [m[0], m[1] ?? m[2]])) {
      const typeOnly = /^\s*(import|export) type /.test(statement);
      if (specifier.startsWith('.')) {
        if (!typeOnly) edges.push(resolve(dirname(file), specifier));
        continue;
      }
      const target = specifier.match(/^@ripstop\/([^/]+)/)?.[1];
      if (target && target !== name && !test && !MAY_IMPORT[name].includes(target))
        problems.push(`${relative(root, file)}: ${name} must not import ${target}`);
      const dependency = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
      if (!test && !specifier.startsWith('node:') && !known.has(dependency))
        problems.push(`${relative(root, file)}: ${dependency} is not in the package's dependencies`);
    }
    if (!test) graph.set(file, edges);
  }
}

const state = new Map();
function visit(file, trail) {
  if (state.get(file) === 'done' || !graph.has(file)) return;
  if (state.get(file) === 'open') {
    problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].map((path) => relative(root, path)).join(' → ')}`);
    return;
  }
  state.set(file, 'open');
  for (const next of graph.get(file)) visit(next, [...trail, file]);
  state.set(file, 'done');
}
for (const file of graph.keys()) visit(file, []);

for (const problem of problems) console.error(problem);
console.log(`${graph.size} files, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
