import { describe, expect, inject, it } from 'vitest';
import { Draw } from './differential/draw.ts';
import { ServerBed, type ServerDifference } from './differential/server/bed.ts';
import { drawServer } from './differential/server/draw-server.ts';
import { drawServerProbe } from './differential/server/draw-server-probe.ts';
import type { ServerTrial } from './differential/server/scenario.ts';
import { firstOfEachKind, kindsOf, showServer, shrinkServer } from './differential/server/shrink-server.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: the differential of servers: no Envoy: ${envoy.missing}`);

/** Another one of a failing run: `RIPSTOP_SEED=… npm run test:interop -- differential-servers`. */
const SEED = Number(process.env.RIPSTOP_SEED ?? 20_261_126);
const BATCHES = Number(process.env.RIPSTOP_BATCHES ?? 5);
const SCENARIOS_PER_BATCH = 50;
const PROBES_PER_SCENARIO = 10;
/** As many as a person reads. */
const MOST_SHOWN = Number(process.env.RIPSTOP_SHOWN ?? 5);
/** Shows only differences with such a line, for who looks for one. */
const LINE = new RegExp(process.env.RIPSTOP_LINE ?? '');
/** No further difference is made smaller after so long. */
const SHRINKING_MS = Number(process.env.RIPSTOP_SHRINK_MS ?? 40_000);

describe.skipIf('missing' in envoy)('drawn configurations of servers and requests to them, through an Envoy and through the SDK', () => {
  it('do the same, in batches of 500 pairs', { timeout: 300_000 }, async () => {
    if ('missing' in envoy) return;
    await using bed = await ServerBed.start(envoy.path);
    const found: ServerDifference[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const trials = Array.from({ length: SCENARIOS_PER_BATCH }, (_, at): ServerTrial => {
        const draw = new Draw(SEED + batch * SCENARIOS_PER_BATCH + at);
        const scenario = drawServer(draw);
        return { scenario, probes: Array.from({ length: PROBES_PER_SCENARIO }, () => drawServerProbe(draw, { scenario })) };
      });
      found.push(...(await bed.compare(trials)));
    }
    const shown: string[] = [];
    const end = performance.now() + SHRINKING_MS;
    // One that cannot be made smaller is shown as it is.
    for (const difference of firstOfEachKind(found.filter(({ lines }) => lines.some((line) => LINE.test(line)))).slice(0, MOST_SHOWN))
      shown.push(
        showServer(
          performance.now() < end
            ? await shrinkServer(bed, difference).catch((error: Error) => ({
                ...difference,
                lines: [...difference.lines, `(not made smaller: ${error.message})`],
              }))
            : difference,
        ),
      );
    expect(found.length, `${found.length} differences:\n${kindsOf(found)}\nthe first:\n${shown.join('\n\n')}`).toBe(0);
  });
});
