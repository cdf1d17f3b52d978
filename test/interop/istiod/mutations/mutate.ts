import { KINDS, type Schema } from '@ripstop/istio-api';
import type { Document } from '../mesh/document.ts';
import type { Random } from '../mesh/random.ts';
import { drawValue } from './draw-value.ts';

export type Path = readonly (string | number)[];

/** One place of a document changed. */
export interface Mutation<T> {
  readonly changed: T;
  readonly path: Path;
  /** `wrong type`, `empty`, … with the value that stands there now. */
  readonly what: string;
}

type Change = readonly [what: string, value: unknown];

const REMOVED = Symbol('removed');
const LONG = 300;

const TEXTS = [
  '',
  'UNKNOWN',
  'a_b!',
  '*',
  'a.*.b',
  '*.a',
  '.',
  '~',
  '/',
  'a/b',
  '(',
  '10.0.0.0/99',
  '10.0.0.0/8',
  '::1',
  '-1s',
  '0s',
  '1.0005s',
  '100us',
  '5',
  ' a ',
];
const NUMBERS = [-1, 0, 1, 1.5, 99, 101, 600, 65_536, 2 ** 31, 2 ** 32];

/** One change of `spec`, the same for the same state of the dice. */
export function mutateDocument(random: Random, document: Document): Mutation<Document> {
  const kind = KINDS.find((entry) => entry.kind === document.kind && document.apiVersion.startsWith(`${entry.group}/`));
  const { changed, path, what } = mutate(random, document.spec ?? {}, kind?.spec);
  return { changed: { ...document, spec: changed }, path: ['spec', ...path], what };
}

/** One change of a bare MeshConfig. */
export function mutateMesh(random: Random, mesh: Record<string, unknown>): Mutation<Record<string, unknown>> {
  const { changed, path, what } = mutate(random, mesh, KINDS.find(({ kind }) => kind === 'MeshConfig')?.spec);
  return { changed: changed as Record<string, unknown>, path: ['spec', ...path], what };
}

function mutate(random: Random, value: unknown, schema: Schema | undefined): Mutation<unknown> {
  const path = random.pick(placesOf(value, []));
  const old = path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown>)[key], value);
  const [what, next, at = path] = random.pick(changesOf(random, old, path, schema));
  return { changed: put(value, at, next), path: at, what };
}

/** Every place of a value, the value itself included. */
function placesOf(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...entries.flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

type Placed = readonly [what: string, value: unknown, at?: Path];

function changesOf(random: Random, old: unknown, path: Path, schema: Schema | undefined): Placed[] {
  const own = changesOfValue(random, old).map(([what, value]): Placed => [what, value]);
  const gone: Placed[] = path.length === 0 ? [] : [['removed', REMOVED]];
  const here = schemaAt(schema, path);
  if (here?.type !== 'object' || Object.keys(here.fields).length === 0) return [...own, ...gone];
  const field = random.pick(Object.keys(here.fields));
  const added: Placed = ['field', drawValue(random, here.fields[field]!), [...path, field]];
  // Half of what happens to an object is a field that was not there.
  return [...own, ...gone, ...own.map(() => added)];
}

function changesOfValue(random: Random, old: unknown): Change[] {
  if (old === null) return [['text', 'a']];
  if (typeof old === 'string') {
    const text = random.pick(TEXTS);
    return [
      [`text ${JSON.stringify(text)}`, text],
      ['long text', 'x'.repeat(LONG)],
      ['upper case', old.toUpperCase()],
      ['text twice', old + old],
      ['wrong type', random.pick([5, true, [old], { a: old }])],
      ['null', null],
    ];
  }
  if (typeof old === 'number') {
    const number = random.pick(NUMBERS);
    return [
      [`number ${number}`, number],
      ['wrong type', random.pick([String(old), true, [old], 'many'])],
      ['null', null],
    ];
  }
  if (typeof old === 'boolean')
    return [
      ['wrong type', random.pick([String(old), 1, {}])],
      ['not', !old],
    ];
  if (Array.isArray(old)) {
    return [
      ['empty list', []],
      ['an item twice', old.length === 0 ? [{}] : [...old, old[0]]],
      ['an empty item', [...old, random.pick(['', {}, null, 5])]],
      ['wrong type', random.pick([{ a: 1 }, 'text', 5])],
    ];
  }
  return [
    ['empty object', {}],
    ['unknown field', { ...(old as object), unknownField: 'a' }],
    ['wrong type', random.pick(['text', 5, [old], true])],
    ['null', null],
  ];
}

function schemaAt(schema: Schema | undefined, [first, ...rest]: Path): Schema | undefined {
  if (first === undefined || schema === undefined) return schema;
  if (schema.type === 'list' || schema.type === 'map') return schemaAt(schema.items, rest);
  if (schema.type !== 'object' || !Object.hasOwn(schema.fields, first)) return undefined;
  return schemaAt(schema.fields[first], rest);
}

function put(value: unknown, [key, ...rest]: Path, next: unknown): unknown {
  if (key === undefined) return next;
  const inner = (value as Record<string | number, unknown> | undefined)?.[key];
  const replaced = put(inner, rest, next);
  if (Array.isArray(value)) return replaced === REMOVED ? value.toSpliced(Number(key), 1) : value.with(Number(key), replaced);
  const { [key]: _old, ...others } = (value ?? {}) as Record<string | number, unknown>;
  return replaced === REMOVED ? others : { ...others, [key]: replaced };
}
