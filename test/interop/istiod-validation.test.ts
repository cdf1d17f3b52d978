import { afterAll, describe, expect, inject, it } from 'vitest';
import { MESH_CONFIG_CASES } from '../../packages/istio-api/src/testing/mesh-config-cases.ts';
import { documentOf, VALIDATION_CASES } from '../../packages/istio-api/src/testing/validation-cases.ts';
import { IstiodProcess } from './istiod/istiod-process.ts';

const { istiod } = inject('peers');
if ('missing' in istiod) console.log(`skipped: istiod: ${istiod.missing}`);

describe.skipIf('missing' in istiod)('validation', () => {
  const peer = 'path' in istiod ? new IstiodProcess(istiod.path) : undefined;
  afterAll(() => peer?.close());

  it('is istiod’s own, case by case', { timeout: 120_000 }, async () => {
    const { refused } = await peer!.ask({
      documents: VALIDATION_CASES.map((one, index) => documentOf({ name: `x-${index}`, ...one })),
      mesh: '',
      nodes: [],
    });
    const differing = VALIDATION_CASES.filter((one, index) => (one.refused === undefined) !== (refused[index] === undefined));
    expect(differing.map((one) => `${one.kind} with ${one.what}: istiod: ${refused[VALIDATION_CASES.indexOf(one)] ?? 'accepted'}`)).toEqual(
      [],
    );
  });

  it('of the mesh configuration is istiod’s own, case by case', { timeout: 60_000 }, async () => {
    const refused = await peer!.judgeMeshes(MESH_CONFIG_CASES.map(({ mesh }) => mesh));
    const differing = MESH_CONFIG_CASES.filter((one, index) => (one.refused === undefined) !== (refused[index] === undefined));
    expect(differing.map((one) => `${one.what}: istiod: ${refused[MESH_CONFIG_CASES.indexOf(one)] ?? 'accepted'}`)).toEqual([]);
  });
});
