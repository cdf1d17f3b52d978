// Makes of a workspace package what is published: without the condition that leads to its TypeScript sources, with real versions.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Copies `dir`, a package of the workspace at `root`, to `stage` as it is published; answers its manifest. `versions`: workspace package → version. */
export function stagePackage(root, dir, stage, versions) {
  const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  mkdirSync(stage, { recursive: true });
  for (const name of manifest.files) if (existsSync(join(dir, name))) cpSync(join(dir, name), join(stage, name), { recursive: true });
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  writeFileSync(join(stage, 'README.md'), readmeOf(manifest));
  const published = {
    ...manifest,
    exports: Object.fromEntries(Object.entries(manifest.exports).map(([path, target]) => [path, publishedTarget(target)])),
    dependencies: withVersions(manifest.dependencies, versions),
    peerDependencies: withVersions(manifest.peerDependencies, versions),
  };
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
  return published;
}

/** Packages that users install by name; the others come along. */
const INSTALLED_BY_NAME = new Set(['node', 'cli', 'testing', 'express', 'fastify'].map((name) => `@ripstop/${name}`));

/** What a package registry shows. */
function readmeOf({ name, description }) {
  const part = INSTALLED_BY_NAME.has(name) ? '' : 'A part of the mesh: apps install `@ripstop/node`, which brings it along.\n\n';
  return `# ${name}\n\n${description}.\n\n${part}Ripstop is an embedded service mesh for Node, configured by the same YAML as Istio.\n`;
}

/** `development` is read by tools of the users, too (vite, vitest), and its file is not published. */
function publishedTarget(target) {
  if (typeof target === 'string') return target;
  const { development: _sources, ...rest } = target;
  return rest;
}

function withVersions(dependencies, versions) {
  if (dependencies === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(dependencies).map(([name, range]) => [name, range.startsWith('workspace:') ? `^${versions.get(name)}` : range]),
  );
}
