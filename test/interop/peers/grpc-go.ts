import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

const SOURCES = fileURLToPath(new URL('../grpc-go', import.meta.url));

/** A client of ours on stock gRPC-Go, built with the machine's Go; a change of its sources makes a new one. */
export function grpcGoPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return installOnce(directory, {
    name: `grpc-go-${sourceHash()}`,
    binary: 'client',
    progress,
    install: async (folder) => {
      // Go's caches are safe for several builds at once. -modcacherw lets a user delete the folder.
      const env = {
        CGO_ENABLED: '0',
        GOMODCACHE: join(directory, 'go-modules'),
        GOCACHE: join(directory, 'go-build'),
        GOFLAGS: '-modcacherw -mod=readonly',
        GOTOOLCHAIN: 'local',
      };
      await runTool('go', ['build', '-o', join(folder, 'client'), '.'], { cwd: SOURCES, env, timeoutMs: 600_000 });
    },
  });
}

function sourceHash(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(SOURCES).sort()) hash.update(`${file}\0`).update(readFileSync(join(SOURCES, file)));
  return hash.digest('hex').slice(0, 12);
}
