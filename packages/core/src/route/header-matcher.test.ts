import { describe, expect, it } from 'vitest';
import {
  compileHeaderMatch,
  type HeaderMatchSpec,
  headerValues,
  isJoinedHeader,
  type MatchableHead,
  type Reading,
  readHeader,
} from './header-matcher.ts';
import { compileStringMatch } from './string-test.ts';

const JOINED = [
  'host',
  'authorization',
  'user-agent',
  'content-type',
  'accept',
  'accept-encoding',
  'cache-control',
  'referer',
  'origin',
  'via',
  'expect',
  'grpc-timeout',
  'x-request-id',
  'x-client-trace-id',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-client-cert',
  'x-envoy-original-path',
  'x-envoy-external-address',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
];

function head(lines: Readonly<Record<string, readonly string[]>>, more: Partial<MatchableHead> = {}): MatchableHead {
  return { header: (name) => lines[name]?.join(','), headerLines: (name) => lines[name] ?? [], ...more };
}

const NONE = { invert: false, treatMissingAsEmpty: false };
const exactly = (value: string): HeaderMatchSpec['match'] => ({
  kind: 'string',
  test: compileStringMatch({ kind: 'exact', value, ignoreCase: false }),
});

describe('a header that is there', () => {
  it.each<[present: boolean, invert: boolean, asEmpty: boolean, there: boolean, missing: boolean]>([
    [true, false, false, true, false],
    [false, false, false, false, true],
    [true, true, false, false, true],
    [false, true, false, true, false],
    [true, false, true, true, true],
    [false, false, true, false, false],
  ])('present %s, inverted %s, missing is empty %s: there %s, missing %s', (present, invert, treatMissingAsEmpty, there, missing) => {
    const test = compileHeaderMatch({ name: 'x', match: { kind: 'present', present }, invert, treatMissingAsEmpty });
    expect([test(head({ x: ['1'] })), test(head({}))]).toEqual([there, missing]);
  });
});

describe.each<Reading | undefined>([undefined, 'envoy', 'denies', 'admits'])('a value, read as %s', (reading) => {
  const matches = (name: string, value: string, lines: readonly string[] | undefined, more: Partial<HeaderMatchSpec> = {}): boolean =>
    compileHeaderMatch({ name, match: exactly(value), ...NONE, reading, ...more })(head(lines === undefined ? {} : { [name]: lines }));

  it('that is missing matches nothing, inverted or not, unless missing is empty', () => {
    expect([matches('x', 'a', undefined), matches('x', 'a', undefined, { invert: true })]).toEqual([false, false]);
    const treatMissingAsEmpty = true;
    expect([matches('x', '', undefined, { treatMissingAsEmpty }), matches('x', 'a', undefined, { treatMissingAsEmpty })]).toEqual([
      true,
      false,
    ]);
    expect(matches('x', 'a', undefined, { treatMissingAsEmpty, invert: true })).toBe(true);
  });

  it('of one line', () => {
    expect([matches('x', 'a', ['a']), matches('x', 'a', ['b'])]).toEqual([true, false]);
    expect([matches('x', 'a', ['a'], { invert: true }), matches('x', 'a', ['b'], { invert: true })]).toEqual([false, true]);
  });

  it('of two lines, an element of one, or the joined value', () => {
    const denies = reading === 'denies';
    const admits = reading === 'admits';
    expect(matches('x', 'a', ['a', 'b'])).toBe(!admits);
    expect(matches('x', 'a', ['a', 'a'])).toBe(true);
    expect(matches('x', 'a', ['b, a'])).toBe(denies);
    expect(matches('x', 'a,b', ['a', 'b'])).toBe(denies);
    expect(matches('x', 'a', ['c', 'd'])).toBe(false);
    // Inverted, a match of the value does the opposite: what denies must be sure that no reading is the value.
    expect(matches('x', 'a', ['a', 'b'], { invert: true })).toBe(denies);
    expect(matches('x', 'a', ['b, a'], { invert: true })).toBe(!admits);
  });

  it.each(JOINED.filter((name) => name !== 'host'))('of several lines of %s: what Envoy joins', (name) => {
    expect(matches(name, 'a,b', ['a', 'b'])).toBe(reading !== 'admits');
    expect(matches(name, 'a', ['a', 'b'])).toBe(reading === 'denies');
    expect(isJoinedHeader(name)).toBe(true);
  });

  it('of a head that knows no lines', () => {
    const test = compileHeaderMatch({ name: 'x', match: exactly('a,b'), ...NONE, reading });
    const lineless: MatchableHead = { header: () => 'a,b' };
    expect(test(lineless)).toBe(true);
    const element = compileHeaderMatch({ name: 'x', match: exactly('b'), ...NONE, reading });
    expect(element(lineless)).toBe(reading === 'denies');
  });

  it.each([':authority', 'host'])('of %s: what denies reads it without port and last dot, too', (name) => {
    const test = (authority: string): boolean =>
      compileHeaderMatch({ name, match: exactly('a.b'), ...NONE, reading })(head({}, { authority }));
    expect(test('a.b')).toBe(true);
    for (const same of ['a.b:80', 'a.b.', 'a.b.:80', 'a.b:']) expect(test(same), same).toBe(reading === 'denies');
    for (const other of ['a.bc:80', 'x.a.b', 'a.b..', 'a.b:80:80', 'a.b,a.b']) expect(test(other), other).toBe(false);
  });

  it.each([
    ['5', true],
    ['+5', true],
    ['05', true],
    ['9', true],
    ['10', false],
    ['4', false],
    ['-5', false],
    ['5.0', false],
    ['5a', false],
    ['a5', false],
    ['', false],
  ])('as a number from 5 to 9: %j is %s', (value, wanted) => {
    const test = compileHeaderMatch({ name: 'x', match: { kind: 'range', start: 5, end: 10 }, ...NONE, reading });
    expect(test(head({ x: [value] }))).toBe(wanted);
  });

  it('of a pseudo header is one value', () => {
    const test = (name: string, value: string, more: Partial<MatchableHead>): boolean =>
      compileHeaderMatch({ name, match: exactly(value), ...NONE, reading })(head({}, more));
    expect(test(':path', '/a,b', { path: '/a,b' })).toBe(true);
    expect(test(':path', 'b', { path: '/a,b' })).toBe(false);
  });
});

describe('a head', () => {
  const full = head(
    { x: ['1', '2'], via: ['3', '4'], y: ['5'] },
    { authority: 'a', method: 'GET', path: '/p', scheme: 'https', status: 200 },
  );

  it.each([
    [':authority', 'a'],
    ['host', 'a'],
    [':method', 'GET'],
    [':path', '/p'],
    [':scheme', 'https'],
    [':status', '200'],
    ['x', '1,2'],
    ['z', undefined],
  ])('has %s: %s', (name, value) => {
    expect(readHeader(full, name)).toBe(value);
  });

  it('without a status has none', () => {
    expect(readHeader(head({}), ':status')).toBeUndefined();
  });

  it.each([
    ['x', ['1', '2']],
    ['via', ['3,4']],
    ['y', ['5']],
    [':path', ['/p']],
    ['z', []],
  ])('has the values of %s one by one: %j', (name, values) => {
    expect(headerValues(full, name)).toEqual(values);
    expect(isJoinedHeader('x')).toBe(false);
  });

  it('that knows no lines has one value', () => {
    expect(headerValues({ header: () => '1,2' }, 'x')).toEqual(['1,2']);
  });
});

describe('a string matcher', () => {
  it.each<
    [kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string, ignoreCase: boolean, yes: readonly string[], no: readonly string[]]
  >([
    ['exact', 'Ab', false, ['Ab'], ['ab', 'Abc', 'xAb', '']],
    ['exact', 'Ab', true, ['Ab', 'aB'], ['abc']],
    ['prefix', 'Ab', false, ['Ab', 'Abc'], ['abc', 'xAb']],
    ['prefix', 'Ab', true, ['ABc'], ['xab']],
    ['suffix', 'Ab', false, ['xAb'], ['Abx', 'xab']],
    ['suffix', 'Ab', true, ['xAB'], ['abx']],
    ['contains', 'Ab', false, ['xAbx'], ['xabx', 'A']],
    ['contains', 'Ab', true, ['xaBx'], ['b']],
    ['prefix', '', false, ['', 'x'], []],
  ])('%s %j, case ignored %s', (kind, value, ignoreCase, yes, no) => {
    const test = compileStringMatch({ kind, value, ignoreCase });
    expect([yes.filter((text) => !test(text)), no.filter(test)]).toEqual([[], []]);
  });

  it('by regular expression takes the whole value', () => {
    const regex = { fullMatch: (text: string) => text === 'whole', replaceAll: (text: string) => text };
    const test = compileStringMatch({ kind: 'regex', regex });
    expect([test('whole'), test('part')]).toEqual([true, false]);
  });
});
