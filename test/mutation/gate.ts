import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EQUIVALENT } from './equivalent.ts';
import { judgeAll, measureAll } from './judge.ts';
import { KeptResults, type Verdict } from './kept-results.ts';
import { namesOf } from './mutants.ts';
import { Planner } from './plan.ts';
import { Report } from './report.ts';
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
  'test/mutation/{cpu-time,judge,loader,mutants,operators,plan,runner,suite,test-api,worker}.ts',
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

const minPerFile = values.sample === undefined ? MIN_KILLED : undefined;
const report = new Report({ names, equivalent: EQUIVALENT, minPerFile });
const runner = new Runner(sources);
try {
  await judgeTargets();
} finally {
  await runner.stop();
}
const stale = [...EQUIVALENT.keys()].filter((name) => ![...names.values()].includes(name));
for (const name of stale) console.log(`listed as equivalent, but there is no such mutant: ${name}`);
const found = report.end();
const passed = found.rate >= MIN_KILLED && stale.length === 0 && found.notEquivalent.length === 0 && found.weak.length === 0;
const seconds = Math.round((performance.now() - started) / 1000);
if (values.json) console.log(JSON.stringify({ gate: 'mutation', ...found, minKilled: MIN_KILLED, seconds, passed }));
process.exitCode = passed ? 0 : 1;

/** What is judged of one target is kept before the next begins. */
async function judgeTargets(): Promise<void> {
  const measured = await measureAll(runner);
  const planner = new Planner(measured, mutants);
  const directory = process.env.RIPSTOP_MUTATION_DIR ?? 'node_modules/.cache/ripstop-mutation';
  const kept = new KeptResults({ directory, base: hashOf(JUDGES), measured });
  for (const [file, ofFile] of Map.groupBy(chosen, (mutant) => mutant.file)) {
    const asked = ofFile.map((mutant) => ({ mutant, name: names.get(mutant.id)!, files: planner.planFor(mutant).files }));
    const known = values.fresh ? new Map<string, Verdict>() : kept.of(file, asked);
    const open = asked.filter(({ name }) => !known.has(name));
    const judged = await judgeAll(
      runner,
      planner,
      open.map(({ mutant }) => mutant),
    );
    kept.save(
      file,
      judged.map(({ verdict, by }, index) => ({ ...open[index]!, verdict, by: by?.file })),
    );
    const now = new Map(judged.map(({ mutant, verdict }) => [mutant.id, verdict]));
    report.add(
      file,
      asked.map(({ mutant, name }) => ({ mutant, verdict: known.get(name) ?? now.get(mutant.id)!, kept: known.has(name) })),
    );
  }
}

function hashOf(globs: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of globs.flatMap((glob) => globSync(glob)).sort()) hash.update(`${path}\n`).update(readFileSync(path));
  return hash.digest('base64url');
}
