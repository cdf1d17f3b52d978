import { parseArgs } from 'node:util';
import { blackhole } from './blackhole.ts';
import { endpointChanges, rollingRestarts } from './real-mesh.ts';
import { retryStorm } from './retry-storm.ts';

/*
 * npm run gate:load [-- --json] [--short]: nothing fails while instances restart and endpoints change (500 requests a second over real
 * sockets); a retry storm stays small, and a silent endpoint is found (in virtual time). Exit code 1 when a figure misses its gate.
 */

const { values } = parseArgs({ options: { json: { type: 'boolean' }, short: { type: 'boolean' } } });
const short = values.short === true;

interface Part {
  readonly name: string;
  readonly gate: string;
  run(): Promise<{ readonly figures: object; readonly passed: boolean }>;
}

const MOST_AMPLIFICATION = 1.2;
const LEAST_SUCCESS = 0.9999;
const LATEST_EJECTION_MS = 2_000;

const storm = (hops: 1 | 3): Part => ({
  name: `retry storm over ${hops} hop${hops === 1 ? '' : 's'}`,
  gate: `at most ${MOST_AMPLIFICATION} requests per call at 100 % failure`,
  run: async () => {
    const figures = await retryStorm(hops, short ? 4 : 20);
    return { figures, passed: figures.amplification <= MOST_AMPLIFICATION && figures.withoutBudget > 2 * MOST_AMPLIFICATION };
  },
});

const PARTS: readonly Part[] = [
  {
    name: 'rolling restarts',
    gate: 'no failed request',
    run: async () => {
      const restarts = short ? 12 : 200;
      const figures = await rollingRestarts(restarts);
      return { figures: { restarts, ...figures }, passed: figures.failed === 0 && figures.calls > 0 };
    },
  },
  {
    name: 'endpoint changes',
    gate: 'no failed request',
    run: async () => {
      const changes = short ? 60 : 1_000;
      const figures = await endpointChanges(changes);
      return { figures: { changes, ...figures }, passed: figures.failed === 0 && figures.calls > 0 };
    },
  },
  storm(1),
  storm(3),
  {
    name: 'a silent endpoint',
    gate: `success of at least ${100 * LEAST_SUCCESS} %, ejected within ${LATEST_EJECTION_MS} ms`,
    run: async () => {
      const { calls, failed, ejectedAfterMs } = await blackhole(short ? 5 : 30);
      const success = 1 - failed / calls;
      const ejected = ejectedAfterMs >= 0 && ejectedAfterMs <= LATEST_EJECTION_MS;
      return { figures: { calls, failed, success, ejectedAfterMs }, passed: success >= LEAST_SUCCESS && ejected };
    },
  },
];

const results: object[] = [];
let passed = true;
for (const { name, gate, run } of PARTS) {
  const started = performance.now();
  const result = await run();
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  passed &&= result.passed;
  results.push({ name, gate, ...result, seconds });
  process.stderr.write(`${result.passed ? 'ok    ' : 'MISSED'} ${name} (${gate}): ${JSON.stringify(result.figures)} in ${seconds} s\n`);
}
process.stdout.write(`${JSON.stringify({ gate: 'load', passed, parts: results }, undefined, values.json ? 0 : 2)}\n`);
process.exit(passed ? 0 : 1);
