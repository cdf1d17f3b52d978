import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EQUIVALENT } from './equivalent.ts';
import { judgeAll, measureAll } from './judge.ts';
import { KeptResults, type Verdict } from './kept-results.ts';
import { type Mutant, namesOf } from './mutants.ts';
import { Planner } from './plan.ts';
import { printReport, type Result } from './report.ts';
import { Runner } from './runner.ts';
import { draw } from './sample.ts';
import { readSources } from './sources.ts';

/*
 * Mutation testing: `npm run gate:mutation -- [--json] [--files part,of,a,path] [--sample N] [--seed N] [--fresh]`. Ends with 1 when fewer
 * than 90 % of the mutants, or of those of one file, are noticed by the unit tests (of a sample: in all), or when a mutant that is listed as
 * equivalent is noticed or exists no more. What was judged before, and rests on nothing that changed, is not judged again.
 */

const MIN_KILLED = 0.9;
/** What decides about every mutant, beside the sources and their tests. */
const JUDGES = [
  'test/mutation/{judge,loader,mutants,operators,plan,runner,suite,test-api,worker}.ts',
  'pnpm-lock.yaml',
  'scripts/generate-xds.mjs',
];

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    files: { type: 'string', default: '' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    fresh: { type: 'boolean', default: false },
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
  const results = await resultsOf(chosen);
  const stale = [...EQUIVALENT.keys()].filter((name) => ![...names.values()].includes(name));
  const minPerFile = values.sample === undefined ? MIN_KILLED : undefined;
  const report = printReport({ results, names, equivalent: EQUIVALENT, stale, minPerFile });
  const passed = report.rate >= MIN_KILLED && stale.length === 0 && report.notEquivalent.length === 0 && report.weak.length === 0;
  const seconds = Math.round((performance.now() - started) / 1000);
  if (values.json) console.log(JSON.stringify({ gate: 'mutation', ...report, minKilled: MIN_KILLED, seconds, passed }));
  process.exitCode = passed ? 0 : 1;
} finally {
  await runner.stop();
}

/** Target by target; what is judged of one is kept before the next begins. */
async function resultsOf(chosen: readonly Mutant[]): Promise<readonly Result[]> {
  const measured = await measureAll(runner);
  const planner = new Planner(measured, mutants);
  const directory = process.env.RIPSTOP_MUTATION_DIR ?? 'node_modules/.cache/ripstop-mutation';
  const kept = new KeptResults({ directory, base: hashOf(JUDGES), measured });
  const results: Result[] = [];
  for (const [file, ofFile] of Map.groupBy(chosen, (mutant) => mutant.file)) {
    const one = ofFile.map((mutant) => ({ mutant, name: names.get(mutant.id)!, files: planner.planFor(mutant).files }));
    const known = values.fresh ? new Map<string, Verdict>() : kept.of(file, one);
    for (const { mutant, name } of one) if (known.has(name)) results.push({ mutant, verdict: known.get(name)!, kept: true });
    const open = one.filter(({ name }) => !known.has(name));
    if (open.length === 0) continue;
    process.stderr.write(`mutation: ${results.length} of ${chosen.length} mutants are done, ${open.length} of ${file} are judged now\n`);
    const judged = await judgeAll(
      runner,
      planner,
      open.map(({ mutant }) => mutant),
    );
    for (const { mutant, verdict } of judged) results.push({ mutant, verdict, kept: false });
    kept.save(
      file,
      judged.map(({ verdict, by }, index) => ({ ...open[index]!, verdict, by: by?.file })),
    );
  }
  return results;
}

function hashOf(globs: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of globs.flatMap((glob) => globSync(glob)).sort()) hash.update(`${path}\n`).update(readFileSync(path));
  return hash.digest('base64url');
}
