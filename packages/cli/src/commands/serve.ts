import type { Command } from 'commander';
import { addControlPlaneOptions, type ControlPlaneProcessOptions, runControlPlane } from '../control-plane-process.ts';

/** `ripstop serve`: a control plane, told everything by its options. */
export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('run a control plane: reads a folder of YAML and watches it, serves xDS, the CA and the live page')
    .requiredOption('--source <dir>', 'folder of YAML, read recursively, or one file');
  addControlPlaneOptions(command).action((options: ControlPlaneProcessOptions & { readonly source: string }) =>
    runControlPlane(options.source, options, ({ xds, xdsTls, http }, say) =>
      say('control plane', `xds ${xds}  xds over TLS and CA ${xdsTls}  page http://${http}/`),
    ),
  );
}
