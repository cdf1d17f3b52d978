import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { IstiodEnded } from './istiod/istiod-process.ts';
import { LastingIstiod } from './istiod/lasting-istiod.ts';
import { requestMesh } from './istiod/mesh/random-mesh.ts';
import { Bed } from './whole-way/bed.ts';
import { drawTrial } from './whole-way/draw-trials.ts';
import { unexplained } from './whole-way/explained.ts';
import { ontoLoopback } from './whole-way/loopback.ts';
import { show } from './whole-way/show.ts';
import { kindOf, shrink } from './whole-way/shrink.ts';
import { type Translated, translated } from './whole-way/translated.ts';
import type { Place } from './whole-way/trial.ts';

const { envoy, istiod } = inject('peers');
for (const [name, peer] of Object.entries({ Envoy: envoy, istiod }))
  if ('missing' in peer) console.log(`skipped: the whole way: no ${name}: ${peer.missing}`);

/** Others: `RIPSTOP_SEED=… RIPSTOP_MESHES=… npm run test:interop -- whole-way`. */
const SEED = Number(process.env.RIPSTOP_SEED ?? 1);
const MESHES = Number(process.env.RIPSTOP_MESHES ?? 100);
/** Of each mesh. */
const REQUESTS: Readonly<Record<Place, number>> = { sidecar: 50, grpc: 12, server: 12, gateway: 12 };
/** istiod works on so many at a time, while requests are made to another. */
const AHEAD = 2;
/** A difference is made smaller for so long; only the first few are. */
const SHRINK_MS = 30_000;
const MAX_SHOWN = 3;

describe.skipIf('missing' in envoy || 'missing' in istiod)('the whole way', () => {
  let bed: Bed;
  let peer: LastingIstiod;
  beforeAll(async () => {
    if ('missing' in envoy || 'missing' in istiod) return;
    bed = await Bed.start(envoy.path);
    peer = new LastingIstiod(istiod.path);
  });
  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
    await peer?.close();
  });

  it(`from documents to what upstreams and callers see is the same (${MESHES} meshes from seed ${SEED})`, {
    timeout: 900_000,
  }, async () => {
    const known = new Map<string, number>();
    const reports: string[] = [];
    const kinds = new Set<string>();
    let ended = 0;
    const ask = (seed: number): Promise<Translated | undefined> =>
      translated(ontoLoopback(requestMesh(seed), bed.certificates.folder), peer).catch((error) => {
        if (!(error instanceof IstiodEnded)) throw error;
        ended++;
        return undefined;
      });
    const asked = new Map<number, Promise<Translated | undefined>>();
    for (let seed = SEED; seed < SEED + MESHES && reports.length < MAX_SHOWN; seed++) {
      for (let next = seed; next < Math.min(seed + AHEAD, SEED + MESHES); next++) if (!asked.has(next)) asked.set(next, ask(next));
      const mesh = await asked.get(seed)!;
      asked.delete(seed);
      if (mesh === undefined) continue;
      for (const place of Object.keys(REQUESTS) as Place[]) {
        const found = await bed.compare(drawTrial(seed, mesh, place, REQUESTS[place]), mesh);
        for (const difference of found.flatMap((each) => unexplained(each, mesh, known) ?? [])) {
          const kind = `${place} ${kindOf(difference.lines)}`;
          if (kinds.has(kind) || reports.length === MAX_SHOWN) continue;
          kinds.add(kind);
          reports.push(show(seed, await shrink(bed, peer, difference, SHRINK_MS)));
        }
      }
    }
    await Promise.allSettled(asked.values());
    if (ended > 0) console.log(`${ended} × istiod itself ended`);
    expect(ended).toBeLessThanOrEqual(Math.ceil(MESHES / 30));
    for (const [name, count] of known) console.log(`${count} × ${name}`);
    expect(reports.join('\n\n')).toBe('');
  });
});
