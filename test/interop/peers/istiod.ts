import { copyFileSync, cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goEnvironment, hashOfSources } from './go-sources.ts';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

const SOURCES = fileURLToPath(new URL('../istiod/peer', import.meta.url));
/** In the module istio.io/api, at the version that istiod is built with. */
const SCHEMAS = join('kubernetes', 'customresourcedefinitions.gen.yaml');

/** In the module istio.io/istio: what istioctl's analyzers are tested with. */
const ANALYSIS = join('pkg', 'config', 'analysis', 'analyzers', 'testdata');
/** Its samples and the inputs of its own tests of translation. */
const EXAMPLES = [
  'samples',
  join('pilot', 'pkg', 'config', 'kube', 'gateway', 'testdata'),
  join('pilot', 'pkg', 'security', 'authz', 'builder', 'testdata'),
  join('pilot', 'pkg', 'xds', 'testdata'),
  join('tests', 'integration'),
  join('tests', 'testdata', 'config'),
];

/**
 * istiod's own generators, validation and istioctl's analyzers in a program of ours, built with the machine's Go (about six minutes the
 * first time on two cores, half a minute after a change of our sources). The schemas of Istio's kinds lie beside it as `crds.yaml`, the
 * inputs of the analyzers' tests in `analysis`, Istio's examples in `examples`.
 */
export function istiodPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return installOnce(directory, {
    name: `istiod-${hashOfSources(SOURCES)}`,
    binary: 'istiod',
    progress,
    install: async (folder) => {
      const env = goEnvironment(directory);
      await runTool('go', ['build', '-o', join(folder, 'istiod'), '.'], { cwd: SOURCES, env, timeoutMs: 1_800_000 });
      const moduleOf = async (name: string): Promise<string> =>
        (await runTool('go', ['list', '-m', '-f', '{{.Dir}}', name], { cwd: SOURCES, env, timeoutMs: 60_000 })).trim();
      copyFileSync(join(await moduleOf('istio.io/api'), SCHEMAS), join(folder, 'crds.yaml'));
      const istio = await moduleOf('istio.io/istio');
      cpSync(join(istio, ANALYSIS), join(folder, 'analysis'), { recursive: true });
      for (const from of EXAMPLES) cpSync(join(istio, from), join(folder, 'examples', from), { recursive: true, filter: isExample });
    },
  });
}

function isExample(path: string): boolean {
  return path.endsWith('.yaml') || statSync(path).isDirectory();
}
