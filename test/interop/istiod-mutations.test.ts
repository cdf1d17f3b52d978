import { afterAll, describe, expect, inject, it } from 'vitest';
import { IstiodProcess } from './istiod/istiod-process.ts';
import { type Judgement, judgeDocuments, judgeMeshes, wrongEntries } from './istiod/mutations/compare-mutated.ts';

/** Others: `RIPSTOP_SEED=… RIPSTOP_MUTATIONS=… npm run test:interop -- istiod-mutations`. */
const SEED = Number(process.env.RIPSTOP_SEED ?? 1);
const DOCUMENTS = Number(process.env.RIPSTOP_MUTATIONS ?? 6000);
const MESHES = Math.ceil(DOCUMENTS / 3);
const MAX_SHOWN = 5;
const { istiod } = inject('peers');
if ('missing' in istiod) console.log(`skipped: istiod: ${istiod.missing}`);

describe.skipIf('missing' in istiod)(`what one change makes of a right document (seed ${SEED})`, () => {
  const peer = 'path' in istiod ? new IstiodProcess(istiod.path) : undefined;
  afterAll(() => peer?.close());

  it(`is refused by both or by neither, but for the list of stricter values: ${DOCUMENTS} documents`, { timeout: 600_000 }, async () => {
    agreed(await judgeDocuments(SEED, DOCUMENTS, peer!));
  });

  it(`is so for mesh configurations, too: ${MESHES}`, { timeout: 600_000 }, async () => {
    agreed(await judgeMeshes(SEED, MESHES, peer!));
  });

  it('is what the list says, for the example of each entry', { timeout: 60_000 }, async () => {
    expect(await wrongEntries(peer!)).toEqual([]);
  });

  function agreed(judgement: Judgement): void {
    console.log(`${judgement.refused} refused by istiod`);
    expect(judgement.open.length === 0 ? '' : `${judgement.open.length} open:\n${judgement.open.slice(0, MAX_SHOWN).join('\n\n')}`).toBe(
      '',
    );
    // Mutations that break nothing would show nothing.
    expect(judgement.refused).toBeGreaterThan(judgement.agreed / 10);
  }
});
