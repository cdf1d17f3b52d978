import type { Command } from 'commander';
import { version } from '../version.ts';

/** `ripstop version`. */
export function addVersionCommand(program: Command): void {
  program
    .command('version')
    .description('print the versions of ripstop and Node')
    .action(() => void process.stdout.write(`ripstop ${version()}, Node ${process.version}\n`));
}
