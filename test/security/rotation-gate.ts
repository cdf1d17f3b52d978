import { parseArgs } from 'node:util';
import { runRotation } from './rotation/run.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, short: { type: 'boolean' } } });
const figures = await runRotation({
  leafRotations: values.short ? 100 : 1_000,
  requests: values.short ? 3_000 : 25_000,
  callers: 16,
  say: (text) => process.stderr.write(`${text}\n`),
});
const { failed, liveRefusedAfterMs, newRefusedAfterMs, resumedRefusedAfterMs } = figures;
const passed = failed === 0 && Math.max(liveRefusedAfterMs, newRefusedAfterMs, resumedRefusedAfterMs) <= 2_000;
process.stdout.write(`${JSON.stringify({ ...figures, passed }, undefined, values.json ? 0 : 2)}\n`);
process.exitCode = passed ? 0 : 1;
