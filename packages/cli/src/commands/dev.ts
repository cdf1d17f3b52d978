import type { Command } from 'commander';
import { addControlPlaneOptions, type ControlPlaneProcessOptions, runControlPlane, stateDirArgument } from '../control-plane-process.ts';

/** `ripstop dev mesh/`: a control plane for a laptop that says how to join it. */
export function addDevCommand(program: Command): void {
  const command = program
    .command('dev')
    .description('run a control plane on this machine for a folder of YAML, watch it, and say how to join')
    .argument('<dir>', 'folder of YAML, read recursively, or one file');
  addControlPlaneOptions(command).action((source: string, options: ControlPlaneProcessOptions) =>
    runControlPlane(source, options, ({ xds, xdsTls, http }, say) => {
      say('control plane', `xds ${xds}  xds over TLS and CA ${xdsTls}`);
      say('live page', `http://${http}/`);
      say('join', `ripstop run${stateDirArgument(options.stateDir)} --service <name> --version v1 -- node <program>.js`);
    }),
  );
}
