import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Twelve hex digits that change with every file of a folder: the name of what is built of it. */
export function hashOfSources(folder: string): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

/** Go's caches are safe for several builds at once. -modcacherw lets a user delete the folder. */
export function goEnvironment(peers: string): Record<string, string> {
  return {
    CGO_ENABLED: '0',
    GOMODCACHE: join(peers, 'go-modules'),
    GOCACHE: join(peers, 'go-build'),
    GOFLAGS: '-modcacherw -mod=readonly',
    GOTOOLCHAIN: 'local',
  };
}
