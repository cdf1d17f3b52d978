#!/usr/bin/env node
import { errorLine } from './error-line.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  process.stderr.write(`ripstop: ${errorLine(error, process.env.RIPSTOP_DEBUG === '1')}\n`);
  process.exitCode = 1;
}
