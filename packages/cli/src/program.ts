import { Command } from 'commander';
import { addGatewayCommand } from './commands/gateway.ts';
import { addRunCommand } from './commands/run.ts';
import { addServeCommand } from './commands/serve.ts';

/** The `ripstop` command line; `parseAsync` runs it. */
export function createProgram(): Command {
  const program = new Command('ripstop')
    .description('An in-process service mesh for Node, configured by Istio YAML')
    .showHelpAfterError('(ripstop --help lists the commands, ripstop <command> --help its options)')
    .enablePositionalOptions();
  addServeCommand(program);
  addRunCommand(program);
  addGatewayCommand(program);
  return program;
}
