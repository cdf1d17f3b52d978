import { dirname, join } from 'node:path';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { clusterOf } from './examples/cluster-of.ts';
import { examplesUnder } from './examples/examples.ts';
import { explanationOf } from './examples/explained.ts';
import { differencesOf } from './istiod/compare-mesh.ts';
import { IstiodProcess } from './istiod/istiod-process.ts';

const { istiod } = inject('peers');
if ('missing' in istiod) console.log(`skipped: Istio's examples: ${istiod.missing}`);

/** On a loaded machine; istiod itself starts anew for each. */
const TIMEOUT_MS = 60_000;

describe.skipIf('missing' in istiod)("what istiod and we make of Istio's samples and of the inputs of its tests", () => {
  const binary = 'path' in istiod ? istiod.path : '';
  const peer = binary === '' ? undefined : new IstiodProcess(binary);
  afterAll(() => peer?.close());
  const examples = binary === '' ? [] : examplesUnder(join(dirname(binary), 'examples'));

  it('are many', () => expect(examples.length).toBeGreaterThan(250));

  it.each(examples)('is the same for $name', { timeout: TIMEOUT_MS }, async ({ name, documents }) => {
    const mesh = clusterOf(documents);
    const differences = await differencesOf(mesh, peer!);
    const left = differences.filter((difference) => explanationOf(name, difference, mesh) === undefined);
    expect(left.slice(0, 5).map(({ node, where, text }) => `${node} ${where} ${text}`)).toEqual([]);
  });
});
