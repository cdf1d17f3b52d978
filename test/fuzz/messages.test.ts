import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileThrough } from './compile-through.ts';
import { messageMutants } from './message-mutations.ts';
import { xdsSets } from './xds-corpus.ts';

describe.each(xdsSets())('xDS for a $node', ({ resources, router }) => {
  it('is accepted as our control plane sends it', () => {
    expect(compileThrough(resources, [], router)).toEqual([]);
  });

  it('however it is mutated, is refused or makes a snapshot (the whole: npm run gate:fuzz)', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(messageMutants(resources), ({ resource }) => {
        compileThrough(resources, [resource], router);
      }),
      { numRuns: 150, seed: 20_261_126 },
    );
  });
});
