import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goEnvironment, hashOfSources } from './go-sources.ts';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

const SOURCES = fileURLToPath(new URL('../grpc-go', import.meta.url));

/** A client of ours on stock gRPC-Go, built with the machine's Go; a change of its sources makes a new one. */
export function grpcGoPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return installOnce(directory, {
    name: `grpc-go-${hashOfSources(SOURCES)}`,
    binary: 'client',
    progress,
    install: async (folder) => {
      const env = goEnvironment(directory);
      await runTool('go', ['build', '-o', join(folder, 'client'), '.'], { cwd: SOURCES, env, timeoutMs: 600_000 });
    },
  });
}
