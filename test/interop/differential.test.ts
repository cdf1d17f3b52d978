import { describe, expect, inject, it } from 'vitest';
import { Bed, type Difference, type Trial } from './differential/bed.ts';
import { Draw } from './differential/draw.ts';
import { drawProbe } from './differential/draw-probe.ts';
import { drawScenario } from './differential/draw-route.ts';
import { show } from './differential/show.ts';
import { shrink } from './differential/shrink.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: the differential: no Envoy: ${envoy.missing}`);

/** Another one of a failing run: `RIPSTOP_SEED=… npm run test:interop -- differential`. */
const SEED = Number(process.env.RIPSTOP_SEED ?? 20_261_126);
const BATCHES = Number(process.env.RIPSTOP_BATCHES ?? 10);
const SCENARIOS_PER_BATCH = 50;
const PROBES_PER_SCENARIO = 10;
/** As many as a person reads. */
const MOST_SHOWN = 5;
/** No further difference is made smaller after so long. */
const SHRINKING_MS = 40_000;

describe.skipIf('missing' in envoy)('drawn configurations and requests, through an Envoy and through the SDK', () => {
  it.each([
    ['as a sidecar', 'sidecar', BATCHES],
    ['as a gateway', 'gateway', Math.ceil(BATCHES / 2)],
  ] as const)('do the same %s, in batches of 500 pairs', { timeout: 180_000 }, async (_as, place, batches) => {
    if ('missing' in envoy) return;
    await using bed = await Bed.start(envoy.path, place);
    const found: Difference[] = [];
    for (let batch = 0; batch < batches; batch++) {
      const trials = Array.from({ length: SCENARIOS_PER_BATCH }, (_, at): Trial => {
        const draw = new Draw(SEED + batch * SCENARIOS_PER_BATCH + at);
        const scenario = drawScenario(draw);
        return { scenario, probes: Array.from({ length: PROBES_PER_SCENARIO }, () => drawProbe(draw, scenario)) };
      });
      found.push(...(await bed.compare(trials)));
    }
    const shown: string[] = [];
    const end = performance.now() + SHRINKING_MS;
    // One that cannot be made smaller is shown as it is.
    for (const difference of found.slice(0, MOST_SHOWN))
      shown.push(show(performance.now() < end ? await shrink(bed, difference).catch(() => difference) : difference));
    expect(found.length, `${found.length} differences; the first:\n${shown.join('\n\n')}`).toBe(0);
  });
});
