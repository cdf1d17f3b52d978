import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuMsOf } from './cpu-time.ts';
import type { Judged, Measured, Order } from './messages.ts';
import type { Sources } from './sources.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

const MAX_RSS_BYTES = 1.5e9;
const LOOK_MS = 200;
/** A worker that waits for nothing and takes no time of the processor either: so many times the limit by the wall clock. */
const MAX_IDLE = 4;

/** A worker that is replaced when it hangs. One order at a time. */
export class Runner {
  private worker: Promise<ChildProcess> | undefined;
  private readonly sources: Sources;

  constructor(sources: Sources) {
    this.sources = sources;
  }

  async measure(file: string): Promise<Measured> {
    return (await this.ask({ kind: 'measure', file }, 120_000)) as Measured;
  }

  /** `late` as well when the worker did not come back within the limit: a loop without an end. */
  async judge(order: Extract<Order, { kind: 'judge' }>, limitMs: number): Promise<Judged> {
    // Modules are loaded on somebody else's time.
    if (this.worker === undefined) await this.ask({ ...order, mutant: 0, fresh: false }, 120_000);
    const judged = (await this.ask(order, limitMs)) as Judged | undefined;
    if (judged === undefined) return { verdict: 'late' };
    if ((judged.rssBytes ?? 0) > MAX_RSS_BYTES) await this.stop();
    return judged;
  }

  async stop(): Promise<void> {
    const worker = await this.worker;
    this.worker = undefined;
    if (worker === undefined || worker.exitCode !== null || worker.signalCode !== null) return;
    const gone = once(worker, 'exit');
    worker.kill('SIGKILL');
    await gone;
  }

  private async ask(order: Order, limitMs: number): Promise<unknown> {
    this.worker ??= started(this.sources);
    const worker = await this.worker;
    const answer = await answerOf(worker, () => worker.send(order), limitMs);
    if (answer === undefined) await this.stop();
    return answer;
  }
}

async function started({ texts, mutants }: Sources): Promise<ChildProcess> {
  const place = mkdtempSync(join(tmpdir(), 'ripstop-mutation-'));
  const worker = fork(WORKER, [process.cwd()], {
    // A mutant may write where its test never would: nowhere but into a directory that goes with the worker.
    cwd: place,
    env: { ...process.env, TMPDIR: place },
    execArgv: ['--conditions=development', '--disable-warning=ExperimentalWarning', '--max-old-space-size=3000'],
    stdio: ['ignore', 'ignore', process.env.RIPSTOP_MUTATION_LOG ? 'inherit' : 'ignore', 'ipc'],
  });
  worker.once('exit', () => rmSync(place, { recursive: true, force: true }));
  const begin: Order = { kind: 'begin', texts: Object.fromEntries(texts), mutants: mutants.length };
  const isUp = (await answerOf(worker, () => {}, 60_000)) !== undefined;
  if (!isUp || (await answerOf(worker, () => worker.send(begin), 60_000)) === undefined) throw new Error('the worker did not start');
  return worker;
}

/** undefined when it dies, or takes more time of the processor than the limit. */
function answerOf(worker: ChildProcess, ask: () => void, limitMs: number): Promise<unknown> {
  return new Promise((resolve) => {
    const end = (answer: unknown): void => {
      clearInterval(timer);
      worker.off('message', end).off('exit', dead);
      resolve(answer);
    };
    const dead = (): void => end(undefined);
    const [asked, taken] = [performance.now(), cpuMsOf(worker.pid!)];
    const timer = setInterval(() => {
      if (cpuMsOf(worker.pid!) - taken > limitMs || performance.now() - asked > MAX_IDLE * limitMs) dead();
    }, LOOK_MS);
    worker.on('message', end).on('exit', dead);
    ask();
  });
}
