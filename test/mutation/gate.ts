import { parseArgs } from 'node:util';
import { EQUIVALENT } from './equivalent.ts';
import { judgeAll, measureAll } from './judge.ts';
import { namesOf } from './mutants.ts';
import { Planner } from './plan.ts';
import { printReport } from './report.ts';
import { Runner } from './runner.ts';
import { draw } from './sample.ts';
import { readSources } from './sources.ts';

/*
 * Mutation testing: `npm run gate:mutation -- [--json] [--files part,of,a,path] [--sample N] [--seed N]`. Ends with 1 when fewer than
 * 90 % of the mutants are noticed by the unit tests, or when a mutant that is listed as equivalent is noticed or exists no more.
 */

const MIN_KILLED = 0.9;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    files: { type: 'string', default: '' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

const started = performance.now();
const sources = readSources();
const { mutants } = sources;
const names = namesOf(mutants);
const parts = values.files.split(',').filter(Boolean);
const wanted = mutants.filter(({ file }) => parts.length === 0 || parts.some((part) => file.includes(part)));
const chosen = values.sample === undefined ? wanted : draw(wanted, Number(values.sample), Number(values.seed));

const runner = new Runner(sources);
try {
  const measured = await measureAll(runner);
  const results = await judgeAll(runner, new Planner(measured, mutants), chosen);
  const stale = [...EQUIVALENT.keys()].filter((name) => ![...names.values()].includes(name));
  const report = printReport({ results, names, equivalent: EQUIVALENT, stale });
  const passed = report.rate >= MIN_KILLED && stale.length === 0 && report.notEquivalent.length === 0;
  const seconds = Math.round((performance.now() - started) / 1000);
  if (values.json) console.log(JSON.stringify({ gate: 'mutation', ...report, minKilled: MIN_KILLED, seconds, passed }));
  process.exitCode = passed ? 0 : 1;
} finally {
  await runner.stop();
}
