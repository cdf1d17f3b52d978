#!/usr/bin/env node
import { errorLine } from './error-line.ts';
import { nodeVersionProblem } from './node-version.ts';

/** The end of a command that failed, whatever it has open. */
function fail(error: unknown): void {
  process.stderr.write(`ripstop: ${errorLine(error, process.env.RIPSTOP_DEBUG === '1')}\n`, () => process.exit(1));
}

process.on('uncaughtException', fail);
// A reader that has seen enough (`ripstop analyze mesh | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit() : fail(error)));
const problem = nodeVersionProblem(process.versions.node);
// The program is loaded behind the check: on an older Node its modules do not even load.
if (problem === undefined) import('./program.ts').then(({ createProgram }) => createProgram().parseAsync()).catch(fail);
else fail(new Error(problem));
