import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Finding, formatFinding, parseDocuments, validateObject } from '../../packages/istio-api/src/index.ts';

const folder = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'crds/cases');
const present = existsSync(folder);
if (!present) console.log(`skipped: the cases of Istio's CRDs (no ${folder})`);

/** What is right and not honoured: no matter of the schema. */
const SUPPORT: ReadonlySet<string> = new Set(['RIPSTOP_UNSUPPORTED_KIND', 'RIPSTOP_UNSUPPORTED_FIELD', 'RIPSTOP_UNENFORCEABLE']);

interface Case {
  readonly name: string;
  readonly text: string;
  /** What the API server says; undefined for a valid document. */
  readonly expected: string | undefined;
}

function cases(suffix: string): Case[] {
  if (!present) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split(/^---$/m)
        .flatMap((text, index) => {
          const { _err: expected, metadata } = (parse(text) ?? {}) as { _err?: string; metadata?: { name: string } };
          if (metadata === undefined) return [];
          return [{ name: `${file} ${index + 1} ${metadata.name}`, text: text.replace(/^_err:.*$/m, ''), expected }];
        }),
    );
}

function schemaErrors(text: string): Finding[] {
  const { objects, findings } = parseDocuments(text, { file: 'case.yaml' });
  return [...findings, ...objects.flatMap(validateObject)].filter(({ severity, code }) => severity === 'error' && !SUPPORT.has(code));
}

describe.skipIf(!present)("Istio's CRDs, OpenAPI and CEL", () => {
  const invalid = cases('-invalid.yaml');
  const valid = cases('-valid.yaml');

  it('there are as many cases as the data says', () => {
    expect([invalid.length, valid.length]).toEqual([76, 35]);
  });

  it.each(invalid.map(({ name, text, expected }) => [name, text, expected!] as const))(
    'refuses %s with the reason',
    (_name, text, expected) => {
      const errors = schemaErrors(text);
      expect(errors.map(formatFinding).join('\n')).toContain(expected);
      for (const { object, position } of errors)
        expect([object !== '', position.line > 0, position.column > 0]).toEqual([true, true, true]);
    },
  );

  it.each(valid.map(({ name, text }) => [name, text] as const))('accepts %s', (_name, text) => {
    expect(schemaErrors(text).map(formatFinding)).toEqual([]);
  });
});
