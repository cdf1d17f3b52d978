import type { Verdict } from './kept-results.ts';
import type { Judged, Measured, Step } from './messages.ts';
import type { Mutant } from './mutants.ts';
import type { Planner } from './plan.ts';
import type { Runner } from './runner.ts';
import { TEST_FILES } from './targets.ts';

interface Result {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  readonly by: Judged['by'];
}

/** After so many mutants the test that failed last must pass without a mutant, or what was judged since is judged again. */
const CHECK_EVERY = 20;
const NO_MUTANT = 0;

/** Runs every test once. Throws when one fails: nothing could be said then. */
export async function measureAll(runner: Runner): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const file of TEST_FILES) {
    const one = await runner.measure(file);
    if (one === undefined || one.failure !== undefined) throw new Error(`${file} fails without a mutant: ${one?.failure ?? 'no answer'}`);
    measured.push(one);
  }
  return measured;
}

/** In the order of the mutants. */
export async function judgeAll(runner: Runner, planner: Planner, mutants: readonly Mutant[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  let unchecked: Mutant[] = [];
  for (const [index, mutant] of mutants.entries()) {
    const result = await judge(runner, planner, mutant);
    results.push(result);
    unchecked.push(mutant);
    const isLast = index === mutants.length - 1;
    if (result.by === undefined || !(result.verdict === 'late' || unchecked.length >= CHECK_EVERY || isLast)) continue;
    if (!(await isSound(runner, planner, result))) {
      await runner.stop();
      results.length -= unchecked.length;
      for (const again of unchecked) results.push(await judgeAlone(runner, planner, again));
    }
    unchecked = [];
  }
  return results;
}

async function judge(runner: Runner, planner: Planner, mutant: Mutant): Promise<Result> {
  const { steps, quick, onLoad, hitLimit } = planner.planFor(mutant);
  if (steps.length === 0) return { mutant, verdict: 'unreached', by: undefined };
  const order = { kind: 'judge', mutant: mutant.id, hitLimit } as const;
  if (onLoad !== 'alone') {
    const first = await runner.judge({ ...order, steps: quick, fresh: false }, limitOf(quick));
    if (first.verdict !== 'survived') return { mutant, verdict: first.verdict, by: first.by };
  }
  const { verdict, by } = await runner.judge({ ...order, steps, fresh: onLoad !== 'never' }, limitOf(steps));
  return { mutant, verdict, by };
}

/** In a worker that no other mutant has touched. */
async function judgeAlone(runner: Runner, planner: Planner, mutant: Mutant): Promise<Result> {
  const result = await judge(runner, planner, mutant);
  if (result.verdict !== 'survived') await runner.stop();
  return result;
}

async function isSound(runner: Runner, planner: Planner, { mutant, by }: Result): Promise<boolean> {
  const step = planner.planFor(mutant).steps.find(({ file, tests }) => file === by!.file && (by!.test === -1 || tests.includes(by!.test)));
  if (step === undefined) return true;
  const steps = [{ ...step, tests: by!.test === -1 ? step.tests : [by!.test] }];
  const order = { kind: 'judge', mutant: NO_MUTANT, hitLimit: 0, steps, fresh: false } as const;
  return (await runner.judge(order, limitOf(steps))).verdict === 'survived';
}

/** After that the worker is in a loop without an end; a promise that never settles is seen by the worker itself. */
function limitOf(steps: readonly Step[]): number {
  return 4_000 + Math.max(...steps.map(({ msPerTest }) => msPerTest)) + 20 * steps.reduce((sum, { ms }) => sum + ms, 0);
}
