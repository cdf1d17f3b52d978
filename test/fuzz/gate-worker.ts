import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { compileThrough } from './compile-through.ts';
import { corpus } from './corpus.ts';
import { messageMutants } from './message-mutations.ts';
import { mutants } from './mutations.ts';
import { pushThrough } from './push-through.ts';
import { xdsSets } from './xds-corpus.ts';

/** How far the gate is. */
export interface Progress {
  documents: number;
  /** Documents of which an object is in force, with findings, and with both. */
  inForce: number;
  withFindings: number;
  messages: number;
  messagesRefused: number;
  /** The slowest document, ms of the processor. */
  slowestMs: number;
  /** What fast-check says of the first failure, with the shrunk case. */
  failure: string | undefined;
}

/** Runs at a time: short, so that progress is seen. */
const SLICE = 500;

const plan = workerData as { readonly documents: number; readonly messages: number; readonly seed: number };
const progress: Progress = { documents: 0, inForce: 0, withFindings: 0, messages: 0, messagesRefused: 0, slowestMs: 0, failure: undefined };

try {
  fuzzDocuments();
  fuzzMessages();
} catch (error) {
  progress.failure = error instanceof Error ? error.message : String(error);
  parentPort!.postMessage(progress);
  throw error;
}

function fuzzDocuments(): void {
  const { texts, missing } = corpus();
  if (missing !== undefined) process.stderr.write(`our own documents only (no ${missing})\n`);
  slices(plan.documents, (numRuns, seed) => {
    fc.assert(
      fc.property(mutants(texts), ({ text }) => {
        const { objects, findings, ms } = pushThrough(text);
        progress.documents += 1;
        if (objects > 0) progress.inForce += 1;
        if (findings > 0) progress.withFindings += 1;
        progress.slowestMs = Math.max(progress.slowestMs, Math.round(ms));
      }),
      { numRuns, seed },
    );
  });
}

function fuzzMessages(): void {
  const sets = xdsSets();
  let turn = 0;
  slices(plan.messages, (numRuns, seed) => {
    const { resources, router } = sets[turn++ % sets.length]!;
    fc.assert(
      fc.property(messageMutants(resources), ({ resource }) => {
        const refused = compileThrough(resources, [resource], router);
        progress.messages += 1;
        if (refused.length > 0) progress.messagesRefused += 1;
      }),
      { numRuns, seed },
    );
  });
}

function slices(total: number, run: (numRuns: number, seed: number) => void): void {
  for (let done = 0; done < total; done += SLICE) {
    run(Math.min(SLICE, total - done), plan.seed + done);
    parentPort!.postMessage(progress);
  }
}
