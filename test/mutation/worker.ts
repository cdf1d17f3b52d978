import { importsOf, importTest, loadChanged } from './loader.ts';
import type { Judged, Measured, MeasuredTest, Order, Step } from './messages.ts';
import { SWITCH } from './mutants.ts';
import { collect, runSuite, type Test, testsOf } from './suite.ts';

/* Runs tests with one mutant on, as ordered by the gate: the changed sources are imported once and asked many times. */

const root = process.argv[2]!;
let texts: ReadonlyMap<string, string> = new Map();
let hits = new Uint32Array(1);
let on = 0;
let hitsLeft = 0;
let strayError: unknown;

Object.defineProperty(globalThis, SWITCH, {
  value: (mutant: number): boolean => {
    hits[mutant]!++;
    if (mutant !== on) return false;
    if (--hitsLeft < 0) throw new Error('the mutant does not come to an end');
    return true;
  },
});

// What a mutant breaks may be noticed in a callback that no test awaits.
process.on('uncaughtException', (error) => (strayError ??= error));
process.on('unhandledRejection', (error) => (strayError ??= error));

let generation = 1;

process.on('message', async (order: Order) => {
  if (order.kind === 'begin') process.send!(begin(order));
  else if (order.kind === 'judge') process.send!({ ...(await judge(order)), rssBytes: process.memoryUsage.rss() });
  else process.send!(await measure(order.file).catch((error: Error) => ({ failure: error.stack })));
});
process.send!('started');

function begin(order: Extract<Order, { kind: 'begin' }>): 'ready' {
  texts = new Map(Object.entries(order.texts));
  hits = new Uint32Array(order.mutants + 1);
  loadChanged(root, texts);
  return 'ready';
}

async function measure(file: string): Promise<Measured> {
  const atStart = hits.slice();
  await collect(() => importTest(root, file, generation));
  const loaded = hits.slice();
  const declaring = stopwatch();
  const suite = await collect(() => importTest(root, file, generation));
  const { ms: declareMs, cpuMs: declareCpuMs } = declaring();
  const declared = hits.slice();
  const tests: MeasuredTest[] = [];
  const inHooks = new Set<number>();
  let since = declared;
  const noteHooks = (): void => {
    for (const mutant of reached(since, hits)) inHooks.add(mutant);
  };
  let failure: string | undefined;
  try {
    await runSuite(suite, new Set(testsOf(suite)), async (test, body) => {
      noteHooks();
      const before = hits.slice();
      const running = stopwatch();
      await body().catch((error) => {
        failure ??= `${test.title}: ${error}`;
      });
      tests.push({ title: test.title, ...running(), reached: reached(before, hits) });
      since = hits.slice();
      return true;
    });
  } catch (error) {
    failure ??= `a hook: ${error}`;
  }
  noteHooks();
  return {
    file,
    declareMs,
    declareCpuMs,
    reachedOnLoad: reached(atStart, loaded),
    reachedOnDeclare: [...new Set([...reached(loaded, declared), ...inHooks])],
    imports: importsOf(root, file),
    tests,
    hits: reached(loaded, hits).map((mutant) => [mutant, hits[mutant]! - loaded[mutant]!]),
    failure,
  };
}

function stopwatch(): () => { readonly ms: number; readonly cpuMs: number } {
  const started = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { ms: performance.now() - started, cpuMs: (user + system) / 1000 };
  };
}

function reached(before: Uint32Array, after: Uint32Array): number[] {
  const found: number[] = [];
  for (let mutant = 1; mutant < after.length; mutant++) if (after[mutant] !== before[mutant]) found.push(mutant);
  return found;
}

async function judge({ mutant, hitLimit, steps, fresh }: Extract<Order, { kind: 'judge' }>): Promise<Judged> {
  const kept = generation;
  if (fresh) generation = kept + 1_000_000 + mutant;
  on = mutant;
  hitsLeft = hitLimit;
  try {
    for (const step of steps) {
      const judged = await judgeStep(step);
      if (judged.verdict !== 'survived') return judged;
    }
    return { verdict: 'survived' };
  } finally {
    on = 0;
    generation = kept;
  }
}

async function judgeStep(step: Step): Promise<Judged> {
  let judged: Judged = { verdict: 'survived' };
  let current = -1;
  try {
    const suite = await collect(() => importTest(root, step.file, generation));
    const all = testsOf(suite);
    const chosen = new Set(step.tests.map((index) => all[index]!));
    if (chosen.has(undefined as unknown as Test)) throw new Error('tests are missing');
    await runSuite(suite, chosen, async (test, body) => {
      current = all.indexOf(test);
      strayError = undefined;
      const end = await endOf(body, step.msPerTest);
      if (end !== undefined) judged = { ...end, by: { ...end.by, file: step.file, test: current } };
      return end === undefined;
    });
  } catch (error) {
    // A hook, or the import itself.
    if (judged.verdict === 'survived') judged = { verdict: 'failed', by: { file: step.file, test: current, reason: String(error) } };
  }
  return judged;
}

const TURN_MS = 20;

/** Time is counted in turns of the event loop, which are so far apart or, where the machine is busy with others, farther. */
async function endOf(body: () => Promise<void>, ms: number): Promise<{ verdict: 'failed' | 'late'; by: { reason: string } } | undefined> {
  let turns: NodeJS.Timeout | undefined;
  const over = new Promise<'late'>((resolve, reject) => {
    let left = Math.ceil(ms / TURN_MS);
    turns = setInterval(() => {
      if (strayError !== undefined) reject(strayError);
      else if (--left <= 0) resolve('late');
    }, TURN_MS);
  });
  try {
    const ran = body();
    ran.catch(() => {});
    const end = await Promise.race([ran, over]);
    if (strayError !== undefined) throw strayError;
    return end === 'late' ? { verdict: 'late', by: { reason: `takes more than ${ms} ms` } } : undefined;
  } catch (error) {
    return { verdict: 'failed', by: { reason: error instanceof Error ? `${error.name}: ${error.message.slice(0, 200)}` : String(error) } };
  } finally {
    clearInterval(turns);
  }
}
