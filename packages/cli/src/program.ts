import { Command } from 'commander';
import { addAnalyzeCommand } from './commands/analyze.ts';
import { addCaCommand } from './commands/ca.ts';
import { addDescribeCommand } from './commands/describe.ts';
import { addDevCommand } from './commands/dev.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addGatewayCommand } from './commands/gateway.ts';
import { addProxyConfigCommand } from './commands/proxy-config.ts';
import { addProxyStatusCommand } from './commands/proxy-status.ts';
import { addRunCommand } from './commands/run.ts';
import { addServeCommand } from './commands/serve.ts';
import { addTokenCommand } from './commands/token.ts';
import { addTranslateCommand } from './commands/translate.ts';
import { addVersionCommand } from './commands/version.ts';
import { version } from './version.ts';

/** The `ripstop` command line; `parseAsync` runs it. */
export function createProgram(): Command {
  const program = new Command('ripstop')
    .description('An in-process service mesh for Node, configured by Istio YAML')
    .version(version())
    .showHelpAfterError('(ripstop --help lists the commands, ripstop <command> --help its options)')
    .enablePositionalOptions();
  addDevCommand(program);
  addRunCommand(program);
  addGatewayCommand(program);
  addServeCommand(program);
  addTokenCommand(program);
  addCaCommand(program);
  addAnalyzeCommand(program);
  addTranslateCommand(program);
  addDescribeCommand(program);
  addExplainCommand(program);
  addProxyStatusCommand(program);
  addProxyConfigCommand(program);
  addVersionCommand(program);
  return program;
}
