import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goEnvironment, hashOfSources } from './go-sources.ts';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

const SOURCES = fileURLToPath(new URL('../istiod/peer', import.meta.url));
/** In the module istio.io/api, at the version that istiod is built with. */
const SCHEMAS = join('kubernetes', 'customresourcedefinitions.gen.yaml');

/**
 * istiod's own generators and validation in a program of ours, built with the machine's Go (about six minutes the first time on two
 * cores, half a minute after a change of our sources). The schemas of Istio's kinds lie beside it as `crds.yaml`.
 */
export function istiodPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return installOnce(directory, {
    name: `istiod-${hashOfSources(SOURCES)}`,
    binary: 'istiod',
    progress,
    install: async (folder) => {
      const env = goEnvironment(directory);
      await runTool('go', ['build', '-o', join(folder, 'istiod'), '.'], { cwd: SOURCES, env, timeoutMs: 1_800_000 });
      const api = await runTool('go', ['list', '-m', '-f', '{{.Dir}}', 'istio.io/api'], { cwd: SOURCES, env, timeoutMs: 60_000 });
      copyFileSync(join(api.trim(), SCHEMAS), join(folder, 'crds.yaml'));
    },
  });
}
