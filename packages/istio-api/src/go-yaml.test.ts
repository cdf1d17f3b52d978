import { describe, expect, it } from 'vitest';
import { parseDocuments } from './parse.ts';

const read = (value: string): unknown => {
  const text = `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: x }\nspec:\n  a: ${value}\n`;
  const { objects, findings } = parseDocuments(text, { file: 'a.yaml' });
  expect(findings).toEqual([]);
  return (objects[0]!.spec as { a: unknown }).a;
};

describe('YAML as Kubernetes reads it', () => {
  it.each([
    ['the namespace of the document', '[., b]', ['.', 'b']],
    ['a time of day', '22:22', '22:22'],
    ['a date', '2026-01-01', '2026-01-01'],
    ['the short name of a commit', 'e5', 'e5'],
    ['an address that ends in colons', '[2001:db8::, ::1, ::]', ['2001:db8::', '::1', '::']],
    ['a map in a list', '[{ b: }, { c: 1 }]', [{}, { c: 1 }]],
    ['a pair in a list', '[b: 1]', [{ b: 1 }]],
    ['numbers', '[1, 1.5, .5, 1e3, -2, 0x10, 0777, 1_000]', [1, 1.5, 0.5, 1000, -2, 16, 511, 1000]],
    ['infinity', '.inf', Number.POSITIVE_INFINITY],
    ['a switch', '[on, off, yes, n]', [true, false, true, false]],
  ])('%s', (_what, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('knows where text with a trailing colon stands', () => {
    const text = 'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: x }\nspec: { a: [x, 2001:db8::] }\n';
    expect(parseDocuments(text, { file: 'a.yaml' }).objects[0]!.locate(['spec', 'a', 1])).toEqual({ file: 'a.yaml', line: 4, column: 16 });
  });
});
