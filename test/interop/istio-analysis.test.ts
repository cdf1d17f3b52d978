import { dirname, join } from 'node:path';
import { MESSAGE_TYPES } from '@ripstop/istio-api';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { analyzeOurs, istioCases, sampleCases } from './analysis/analysis-cases.ts';
import { explanationOf } from './analysis/explained.ts';
import { IstiodProcess } from './istiod/istiod-process.ts';

const { istiod } = inject('peers');
if ('missing' in istiod) console.log(`skipped: istioctl's analyzers: ${istiod.missing}`);

const HERE: ReadonlySet<string> = new Set(MESSAGE_TYPES.flatMap(({ code, applies }) => (applies ? [code] : [])));

/** Codes that are never found here have their reasons in docs/reference/analysis.md. */
describe.skipIf('missing' in istiod)("istioctl's analyzers and ours", () => {
  const binary = 'path' in istiod ? istiod.path : '';
  const peer = binary === '' ? undefined : new IstiodProcess(binary);
  afterAll(() => peer?.close());
  const cases = binary === '' ? [] : [...istioCases(join(dirname(binary), 'analysis')), ...sampleCases()];

  it.each(cases)('say the same of $name', async (given) => {
    const { text, findings } = analyzeOurs(given);
    const messages = await peer!.analyze([{ name: given.name, text }]);
    const theirs = new Set(messages.filter(({ code }) => HERE.has(code)).map(({ code, origin }) => `${code} ${origin}`));
    const tellsWhoRuns = /"kind":"(Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job)"/.test(text);
    const oneSided = [
      ...[...theirs].filter((finding) => !findings.has(finding)).map((finding) => ({ by: 'istio' as const, finding, tellsWhoRuns })),
      ...[...findings].filter((finding) => !theirs.has(finding)).map((finding) => ({ by: 'ours' as const, finding, tellsWhoRuns })),
    ];
    const open = oneSided.filter((found) => explanationOf(found) === undefined);
    expect(open.map(({ by, finding }) => `${by} only: ${finding}`)).toEqual([]);
  });
});
