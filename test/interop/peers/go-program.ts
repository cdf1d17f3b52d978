import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goEnvironment, hashOfSources } from './go-sources.ts';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

export interface GoProgram {
  /** Of the folder, which carries a hash of the sources behind it. */
  readonly name: string;
  /** Default: the name. */
  readonly binary?: string;
  /** Folder of its module, relative to `test/interop`. */
  readonly sources: string;
  readonly timeoutMs: number;
}

/** A program of one module, built with the machine's Go; a change of its sources makes a new one. */
export function goProgram(
  { name, binary = name, sources, timeoutMs }: GoProgram,
  directory: string,
  progress: (line: string) => void,
): Promise<PeerState> {
  const folder = fileURLToPath(new URL(`../${sources}`, import.meta.url));
  return installOnce(directory, {
    name: `${name}-${hashOfSources(folder)}`,
    binary,
    progress,
    install: async (target) => {
      await runTool('go', ['build', '-o', join(target, binary), '.'], { cwd: folder, env: goEnvironment(directory), timeoutMs });
    },
  });
}
