import type { Measured, Step } from './messages.ts';
import type { Mutant } from './mutants.ts';

export interface TestPlan {
  /** Empty: no test reaches it. */
  readonly steps: readonly Step[];
  /** The test files that reach it, also those that there is no time for. */
  readonly files: readonly string[];
  /** The first of them, which take next to nothing together. */
  readonly quick: readonly Step[];
  /** Reached while modules are loaded, perhaps then alone: with the modules that are there not all of it would be seen. */
  readonly onLoad: 'never' | 'too' | 'alone';
  /** More than its share of this is a loop without an end. */
  readonly hitLimit: number;
}

const SLOW_CPU_MS = 50;
/** A mutant that the cheapest tests do not notice within these is left to live: some lines are reached by every test there is. */
const MAX_CPU_MS = 4000;
const QUICK_CPU_MS = 300;
/** For a test that takes nothing: the machine may be busy. */
const MIN_MS_PER_TEST = 1500;

/** Which tests can notice a mutant, those that take the least first. */
export class Planner {
  private readonly files: readonly Measured[];
  private readonly onLoad = new Set<number>();
  private readonly hits = new Map<number, number>();
  private readonly reachedFile = new Map<string, Set<string>>();
  private readonly sets: readonly { readonly declare: ReadonlySet<number>; readonly tests: readonly ReadonlySet<number>[] }[];

  constructor(files: readonly Measured[], mutants: readonly Mutant[]) {
    this.files = files;
    this.sets = files.map(({ reachedOnDeclare, tests }) => ({
      declare: new Set(reachedOnDeclare),
      tests: tests.map(({ reached }) => new Set(reached)),
    }));
    for (const { file, reachedOnLoad, tests, hits } of files) {
      for (const mutant of reachedOnLoad) this.onLoad.add(mutant);
      for (const [mutant, times] of hits) this.hits.set(mutant, Math.max(times, this.hits.get(mutant) ?? 0));
      for (const [index, { reached }] of tests.entries())
        this.reachedFile.set(`${file}#${index}`, new Set(reached.map((mutant) => mutants[mutant - 1]!.file)));
    }
  }

  planFor({ id, file }: Mutant): TestPlan {
    let chosen = this.choose(
      (at) => this.sets[at]!.declare.has(id),
      (at, test) => this.sets[at]!.tests[test]!.has(id),
    );
    const onLoadOnly = chosen.length === 0 && this.onLoad.has(id);
    // What a module makes when it is loaded may be seen by whoever imports it.
    if (onLoadOnly)
      chosen = this.choose(
        (at) => this.files[at]!.imports.includes(file),
        () => false,
      );
    const uses = ({ file: test, tests }: Step): number =>
      tests.some((index) => this.reachedFile.get(`${test}#${index}`)!.has(file)) ? 0 : 1;
    const sorted = chosen.sort((a, b) => (onLoadOnly ? uses(a) - uses(b) : 0) || a.cpuMs - b.cpuMs);
    const steps = within(sorted, MAX_CPU_MS);
    const files = [...new Set(chosen.map(({ file: test }) => test))];
    const onLoad = onLoadOnly ? 'alone' : this.onLoad.has(id) ? 'too' : 'never';
    return { steps, files, quick: within(sorted, QUICK_CPU_MS), onLoad, hitLimit: 1e5 + 10 * (this.hits.get(id) ?? 0) };
  }

  private choose(all: (file: number) => boolean, one: (file: number, test: number) => boolean): Step[] {
    return this.files.flatMap(({ file, declareMs, declareCpuMs, tests }, at) => {
      const whole = all(at);
      const able = tests.map(({ ms, cpuMs }, index) => ({ ms, cpuMs, index })).filter(({ index }) => whole || one(at, index));
      return [able.filter(({ cpuMs }) => cpuMs < SLOW_CPU_MS), able.filter(({ cpuMs }) => cpuMs >= SLOW_CPU_MS)]
        .filter((part) => part.length > 0)
        .map((part) => ({
          file,
          tests: part.map(({ index }) => index),
          ms: declareMs + part.reduce((sum, { ms }) => sum + ms, 0),
          cpuMs: declareCpuMs + part.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
          msPerTest: Math.ceil(MIN_MS_PER_TEST + 20 * Math.max(...part.map(({ ms }) => ms))),
        }));
    });
  }
}

/** As many as fit into the time, and one at least. */
function within(steps: readonly Step[], limit: number): readonly Step[] {
  let sum = 0;
  return steps.filter(({ cpuMs }, index) => {
    sum += cpuMs;
    return sum <= limit || index === 0;
  });
}
