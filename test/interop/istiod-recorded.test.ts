import { join } from 'node:path';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { IstiodProcess } from './istiod/istiod-process.ts';
import { recordedCases, recordedDump, recordedInput } from './istiod/recorded-case.ts';

const { istiod } = inject('peers');
const { folder, names } = recordedCases();
if ('missing' in istiod) console.log(`skipped: istiod: ${istiod.missing}`);
else if (names.length === 0) console.log(`skipped: recorded xDS of a real istiod (no ${folder})`);

/** Sorted in the recordings (their README, "Order"); the four lists are sorted by the peer. */
const SORTED: ReadonlySet<string> = new Set(['query_parameters']);

describe.skipIf('missing' in istiod || names.length === 0)('the istiod that meshes are compared with', () => {
  const peer = 'path' in istiod ? new IstiodProcess(istiod.path) : undefined;
  afterAll(() => peer?.close());

  it.each(names)('sends for %s what is recorded', async (name) => {
    const answer = await peer?.ask(recordedInput(join(folder, name, 'input')));
    expect(answer?.refused).toEqual({});
    for (const [node, dump] of Object.entries(answer?.nodes ?? {}))
      expect(ordered(dump), node).toEqual(ordered(recordedDump(join(folder, name, 'expected', `${node}.json`))));
  });
});

function ordered(json: unknown, field = ''): unknown {
  if (Array.isArray(json)) {
    const items = json.map((item) => ordered(item));
    return SORTED.has(field) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, ordered(value, key)]));
}
