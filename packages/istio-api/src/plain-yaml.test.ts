import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlainYaml } from './plain-yaml.ts';
import { SyntaxTrees } from './syntax-trees.ts';

/** What the library reads; undefined when it finds a mistake. */
function byLibrary(text: string): object[] | undefined {
  const trees = new SyntaxTrees(text);
  const documents = trees.all();
  if (documents.some(({ errors }) => errors.length > 0)) return undefined;
  return documents.flatMap((document) => {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) return [];
    const offset = document.contents?.range?.[0] ?? document.range[0];
    const { line, col } = trees.lines.linePos(offset);
    return [{ value, offset, line, column: col }];
  });
}

const SERVICE = `# of the shop
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop, labels: { app: cart, 'a/b': "x" } } # in brackets
spec:
  clusterIP: 10.0.0.7
  selector:
    app: cart
  ports:
  - name: http
    port: 80

  - { name: grpc, port: 90, targetPort: 9090 }
  empty:
  args: [GET, "a, b", 1s, 10.0.0.1]
`;

describe('a plain manifest', () => {
  it('of 10 MB is read in time: no scalar looks at the text behind its line', () => {
    const service = 'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  type: ClusterIP\n---\n';
    const count = Math.ceil(1e7 / service.length);
    expect(readPlainYaml(service.repeat(count))).toHaveLength(count);
  });

  it('is read without the library', () => {
    const text = `${SERVICE.replace(', \'a/b\': "x"', '')}---\n---\napiVersion: v1\nkind: Pod\n`;
    const found = readPlainYaml(text);
    expect(found).toEqual(byLibrary(text));
    expect(found?.map(({ line, column }) => [line, column])).toEqual([
      [2, 1],
      [18, 1],
    ]);
  });

  it.each([
    'a: yes',
    'on: 1',
    'a: 010',
    'a: 0x10',
    'a: 1_000',
    'a: 1.20',
    'a: 1e3',
    'a: -1',
    'a: .5',
    'a: .inf',
    'a: 22:22',
    'a: 2026-01-01',
    'a: ~',
    'a: Null',
    'a: 00:11:22',
    'a: 1e-5',
    'a: 2026-01-01T10:00:00Z',
    'a: 12345678-9abc-def0-1234-56789abcdef0',
    'a: 12345678-9',
    'a: 1.2.3',
    'a: [y, No, ON, null, 0b1, 007, 08]',
  ])('has the scalars of the library: %s', (text) => {
    const found = readPlainYaml(text);
    if (found !== undefined) expect(found).toEqual(byLibrary(text));
  });

  it.each([
    ['an anchor', 'a: &x 1\nb: *x\n'],
    ['a tag', 'a: !!str 1\n'],
    ['a block scalar', 'a: |\n  text\n'],
    ['a scalar of two lines', 'a: one\n  two\n'],
    ['brackets over lines', 'a: [1,\n  2]\n'],
    ['an escape', 'a: "\\n"\n'],
    ['a doubled quote', "a: 'it''s'\n"],
    ['a tab', 'a:\tb\n'],
    ['a key twice', 'a: 1\na: 2\n'],
    ['a merge key', '<<: {}\n'],
    ['a key of its own kind', '? a\n: b\n'],
    ['a wrong indentation', 'a:\n    b: 1\n  c: 2\n'],
    ['a list that is nobody’s', 'a: 1\n- b\n'],
    ['a colon at the end of an item', 'a: [2001:db8::]\n'],
    ['a pair in a list', 'a: [b: 1]\n'],
    ['a set', 'a: {b, c}\n'],
    ['what is no mapping', '- a\n'],
    ['a prototype', '__proto__: { a: 1 }\n'],
    ['two colons', 'a: b: c\n'],
  ])('is none with %s', (_what, text) => {
    expect(readPlainYaml(text)).toBeUndefined();
  });

  it('is none with many scalars that the library must be asked about', () => {
    const text = (count: number): string => Array.from({ length: count }, (_, index) => `a${index}: 1.${index}x\n`).join('');
    expect(readPlainYaml(text(10))).toEqual(byLibrary(text(10)));
    expect(readPlainYaml(text(200))).toBeUndefined();
  });

  it('says what the library says, or nothing, of whatever text', () => {
    const usual = fc.constantFrom('a', 'x-y', '10.0.0.1', '1', '0', 'true', "'q'", '"q: #"', 'a b', '/p', '5s', 'a:b');
    const scalar = fc.oneof({ weight: 12, arbitrary: usual }, fc.constantFrom('1.5', 'no', '-1', '*', '::', '08', '1.x'));
    const flow = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { weight: 4, arbitrary: scalar },
        fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
        fc
          .uniqueArray(fc.tuple(fc.constantFrom('k', 'l', 'm/n'), tie('value')), { maxLength: 3, selector: ([key]) => key })
          .map((pairs) => `{ ${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')} }`),
      ),
    })).value;
    const { document } = fc.letrec<{ lines: string[]; map: string[]; list: string[]; document: string[] }>((tie) => ({
      // What stands behind a key: on its line, or below it, deeper or, for a list, as deep.
      lines: fc.oneof(
        { weight: 4, arbitrary: fc.tuple(flow, fc.constantFrom('', '', ' # note')).map(([text, note]) => [` ${text}${note}`]) },
        tie('map').map((below) => ['', ...below.map((text) => `  ${text}`)]),
        fc.tuple(tie('list'), fc.boolean()).map(([below, deep]) => ['', ...below.map((text) => (deep ? `  ${text}` : text))]),
        fc.constantFrom<string[]>([''], [' '], ['', '', '# c']),
      ),
      map: fc
        .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c.d/e', 'f-g', 'h', 'i', 'on'), tie('lines')), {
          minLength: 1,
          maxLength: 3,
          selector: ([key]) => key,
        })
        .map((pairs) => pairs.flatMap(([key, [first, ...rest]]) => [`${key}:${first}`, ...rest])),
      list: fc
        .array(
          fc.oneof(
            tie('map'),
            flow.map((text) => [text]),
          ),
          { minLength: 1, maxLength: 3 },
        )
        .map((items) => items.flatMap(([first, ...rest]) => [`- ${first}`, ...rest.map((text) => `  ${text}`)])),
      document: fc.oneof({ weight: 9, arbitrary: tie('map') }, tie('list')),
    }));
    const lines = fc
      .tuple(document, fc.constantFrom([], ['---'], ['---'], ['--- a'], ['...'], ['# c', '---']), document)
      .map((parts) => parts.flat());
    let plain = 0;
    fc.assert(
      fc.property(
        lines,
        fc.nat(),
        fc.constantFrom('', '', '', '', '', '', '', ':', ' ', '\n', '"', '[', '}', '#', '-', ','),
        (made, place, more) => {
          const whole = made.join('\n');
          const at = place % (whole.length + 1);
          const text = `${whole.slice(0, at)}${more}${whole.slice(at)}\n`;
          const found = readPlainYaml(text);
          if (found === undefined) return;
          plain++;
          expect(found, text).toEqual(byLibrary(text));
        },
      ),
      { numRuns: Number(process.env.RIPSTOP_FUZZ_RUNS ?? 3000) },
    );
    expect(plain).toBeGreaterThan(100);
  });
});
