import { Worker } from 'node:worker_threads';
import type { Progress } from './gate-worker.ts';

/*
 * npm run gate:fuzz [-- --documents 100000 --messages 20000 --seed 1]: mutated documents through the control plane, mutated xDS through the
 * data plane. A thread does the work, so that this one can tell when it hangs. The last line on standard output is JSON.
 */

const HANG_MS = 60_000;

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
};
const plan = { documents: option('documents', 100_000), messages: option('messages', 20_000), seed: option('seed', Date.now() % 2 ** 31) };
process.stderr.write(`fuzzing ${plan.documents} documents and ${plan.messages} messages, seed ${plan.seed}\n`);

const worker = new Worker(new URL('./gate-worker.ts', import.meta.url), { workerData: plan });
let last: Progress | undefined;
let timer = setTimeout(hangs, HANG_MS);
const started = performance.now();

worker.on('message', (progress: Progress) => {
  last = progress;
  clearTimeout(timer);
  timer = setTimeout(hangs, HANG_MS);
  process.stderr.write(`${progress.documents} documents, ${progress.messages} messages\n`);
});
worker.on('error', (error) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  report(1);
});
worker.on('exit', (code) => report(code));

function hangs(): void {
  process.stderr.write(`no progress for ${HANG_MS / 1000} s: the seed finds it again\n`);
  void worker.terminate();
}

function report(code: number): void {
  clearTimeout(timer);
  const ok = code === 0 && last?.failure === undefined && last?.documents === plan.documents && last?.messages === plan.messages;
  process.stdout.write(
    `${JSON.stringify({ gate: 'fuzz', ok, ...plan, done: last, seconds: Math.round((performance.now() - started) / 1000) })}\n`,
  );
  process.exit(ok ? 0 : 1);
}
