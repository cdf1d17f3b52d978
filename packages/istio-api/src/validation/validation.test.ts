import { describe, expect, it } from 'vitest';
import { formatFinding } from '../object.ts';
import { parseDocuments } from '../parse.ts';
import { documentOf, VALIDATION_CASES } from '../testing/validation-cases.ts';
import { validateObject } from '../validate.ts';

describe("istiod's validation", () => {
  it.each(VALIDATION_CASES.map((one) => [one.kind, one.what, one] as const))('of a %s with %s', (_kind, _what, one) => {
    const { objects, findings } = parseDocuments(documentOf(one), { file: 'a.yaml' });
    const errors = [...findings, ...objects.flatMap(validateObject)].filter(({ severity }) => severity === 'error');
    if (one.refused === undefined) expect(errors.map(formatFinding)).toEqual([]);
    else {
      const [path, text] = one.refused;
      expect(errors.map((finding) => finding.path)).toEqual([path]);
      expect(errors[0]!.message).toContain(text);
      expect(errors[0]!.position.line).toBeGreaterThan(1);
    }
  });
});
