import fc from 'fast-check';
import { describe, it } from 'vitest';
import { corpus, OWN } from './corpus.ts';
import { mutants } from './mutations.ts';
import { pushThrough } from './push-through.ts';

const { texts, missing } = corpus();
if (missing !== undefined) console.log(`fuzzing our own documents only (no ${missing})`);

describe('documents', () => {
  it('of the corpus go through as they are', () => {
    for (const text of OWN) pushThrough(text);
  });

  it('however they are mutated, end in findings or in a translation (the whole: npm run gate:fuzz)', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(mutants(texts), ({ text }) => {
        pushThrough(text);
      }),
      { numRuns: 500, seed: 20_261_126 },
    );
  });
});
