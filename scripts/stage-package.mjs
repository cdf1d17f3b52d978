// Makes of a workspace package what is published: without the condition that leads to its TypeScript sources, with real versions.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Copies `dir` to `stage` as it is published; answers its manifest. `versions`: workspace package → version. */
export function stagePackage(dir, stage, versions) {
  const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  mkdirSync(stage, { recursive: true });
  for (const name of [...manifest.files, 'README.md', 'LICENSE']) {
    if (existsSync(join(dir, name))) cpSync(join(dir, name), join(stage, name), { recursive: true });
  }
  const published = {
    ...manifest,
    exports: Object.fromEntries(Object.entries(manifest.exports).map(([path, target]) => [path, publishedTarget(target)])),
    dependencies: withVersions(manifest.dependencies, versions),
    peerDependencies: withVersions(manifest.peerDependencies, versions),
  };
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
  return published;
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
