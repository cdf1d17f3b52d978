import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';

/** A text that was changed, and how; `how` names what to look for when it fails. */
export interface Mutant {
  readonly how: string;
  readonly text: string;
}

/** What stands in the place of something else. */
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  65_536,
  4_294_967_296,
  1e308,
  '',
  ' ',
  '*',
  '.',
  '/',
  '-',
  'default/x',
  '10.0.0.0/8',
  '::1',
  '1s',
  '-5s',
  '9999999h',
  '0',
  'unix:///a',
  'a.b.c',
  '*.a',
  '[',
  '(?=a)',
  '(a+)+$',
  '%REQ(',
  '{**}',
  '\u0000',
  '\ud800',
  'é',
  'x'.repeat(300),
  [],
  [null],
  [[]],
  {},
  { '': '' },
  { a: { a: { a: { a: {} } } } },
];
const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', '*', 'x y', 'name', '0'];
/** Text that YAML or editors give a meaning. */
const TOKENS = [
  '\t',
  '\r\n',
  '\r',
  '\ufeff',
  '\u0000',
  '\u2028',
  '---\n',
  '...\n',
  '&a ',
  '*a',
  '<<: *a\n',
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '? ',
  '| ',
  '>\n',
  '!!binary ',
  '!!float ',
  '!x ',
  '"',
  "'",
  '#',
  '@',
  '`',
  '%YAML 9.9\n',
  '0x',
  '1e999',
  '.nan',
  '\n\n',
  '  ',
];

interface Step {
  readonly kind: number;
  readonly at: number;
  readonly to: number;
  readonly pick: number;
}
const step = (kinds: number): fc.Arbitrary<Step> =>
  fc.record({ kind: fc.nat({ max: kinds - 1 }), at: fc.nat(), to: fc.nat(), pick: fc.nat() });

/** Texts, mutated as objects or as bytes. */
export function mutants(texts: readonly string[]): fc.Arbitrary<Mutant> {
  const text = fc.constantFrom(...texts);
  const byText = fc.tuple(text, fc.array(step(6), { minLength: 1, maxLength: 4 })).map(([source, steps]) => ({
    how: `text ${steps.map(({ kind }) => kind).join()}`,
    text: steps.reduce(mutateText, source),
  }));
  const byObject = fc.tuple(text, text, fc.array(step(6), { minLength: 1, maxLength: 3 })).map(([source, other, steps]) => ({
    how: `object ${steps.map(({ kind }) => kind).join()}`,
    text: documentsOf(source)
      .map((value) => JSON.stringify(steps.reduce((now, entry) => mutateObject(now, entry, other), value)))
      .join('\n---\n'),
  }));
  return fc.oneof({ weight: 1, arbitrary: byText }, { weight: 2, arbitrary: byObject });
}

function mutateText(text: string, { kind, at, to, pick }: Step): string {
  if (text === '') return TOKENS[pick % TOKENS.length]!;
  const position = at % text.length;
  const end = Math.min(text.length, position + (to % 60));
  const lines = text.split('\n');
  const line = at % lines.length;
  switch (kind) {
    case 0:
      return text.slice(0, position) + TOKENS[pick % TOKENS.length]! + text.slice(position);
    case 1:
      return text.slice(0, position) + text.slice(end);
    case 2:
      return text.slice(0, position) + String.fromCharCode(pick % 256) + text.slice(position + 1);
    case 3:
      return [...lines.slice(0, line), lines[to % lines.length]!, ...lines.slice(line)].join('\n');
    case 4:
      return lines
        .map((entry, index) => (index >= line && index <= line + (to % 4) ? `${' '.repeat(pick % 5)}${entry}` : entry))
        .join('\n');
    default:
      return text.slice(0, position) + text.slice(position, end).repeat(1 + (pick % 20)) + text.slice(end);
  }
}

const parsed = new Map<string, readonly unknown[]>();

function documentsOf(text: string): unknown[] {
  let known = parsed.get(text);
  if (known === undefined) {
    known = parseAllDocuments(text, { version: '1.1', merge: true }).map((document) =>
      document.errors.length > 0 ? null : document.toJS(),
    );
    parsed.set(text, known);
  }
  return structuredClone(known) as unknown[];
}

type Place = { readonly holder: Record<string, unknown>; readonly key: string };

function mutateObject(root: unknown, { kind, at, to, pick }: Step, otherText: string): unknown {
  const places = placesIn(root);
  const place = places[at % Math.max(places.length, 1)];
  if (place === undefined) return VALUES[pick % VALUES.length];
  const { holder, key } = place;
  switch (kind) {
    case 0:
      set(holder, key, structuredClone(VALUES[pick % VALUES.length]));
      break;
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 2:
      if (!Array.isArray(holder)) set(holder, KEYS[pick % KEYS.length]!, holder[key]);
      break;
    case 3:
      if (Array.isArray(holder)) holder.push(structuredClone(holder[to % holder.length]));
      else set(holder, key, [holder[key], structuredClone(holder[key])]);
      break;
    case 4: {
      const from = places[to % places.length]!;
      set(holder, key, structuredClone(from.holder[from.key]));
      break;
    }
    default: {
      const others = documentsOf(otherText).flatMap(placesIn);
      const from = others[to % Math.max(others.length, 1)];
      if (from !== undefined) set(holder, key, from.holder[from.key]);
    }
  }
  return root;
}

/** Every field and item below. */
function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

/** Also for names that assignment would give a meaning. */
function set(holder: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}
