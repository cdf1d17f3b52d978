import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { type IstiodAnswer, IstiodProcess } from './istiod/istiod-process.ts';
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
    const expected = (node: string): unknown => ordered(recordedDump(join(folder, name, 'expected', `${node}.json`)));
    const ask = (): Promise<IstiodAnswer> => peer!.ask(recordedInput(join(folder, name, 'input')));
    let answer = await ask();
    for (let again = 1; again < ASKED && !says(answer, expected); again++) answer = await ask();
    expect(answer.refused).toEqual({});
    for (const [node, dump] of Object.entries(answer.nodes)) expect(ordered(dump), node).toEqual(expected(node));
  });
});

/** istiod does not say the same every time: draining Pods come to it before or after their EndpointSlices. */
const ASKED = 5;

function says({ nodes }: IstiodAnswer, expected: (node: string) => unknown): boolean {
  return Object.entries(nodes).every(([node, dump]) => isDeepStrictEqual(ordered(dump), expected(node)));
}

function ordered(json: unknown, field = ''): unknown {
  if (Array.isArray(json)) {
    const items = json.map((item) => ordered(item));
    return SORTED.has(field) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, ordered(value, key)]));
}
