import { type Exchange, type MatchableHead, PathBinding } from '@ripstop/core';
import { fromProtoJson, HeaderMatcher, RouteMatch, ValueMatcher } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileHeaderMatcher, compilePathSpecifier, compileStringMatcher, compileUriTemplate } from './matchers.ts';
import { compileMetadataMatcher } from './metadata-matcher.ts';

const text = (kind: string, value: unknown) => ({ matchPattern: { $case: kind, value }, ignoreCase: false }) as never;

describe('a string matcher that cannot be honoured', () => {
  it.each<[matcher: unknown, why: string]>([
    [{ matchPattern: undefined, ignoreCase: false }, 'a string matcher without a pattern'],
    [text('custom', {}), 'custom string matchers are not supported'],
    [text('prefix', ''), 'a string matcher with an empty prefix'],
    [text('suffix', ''), 'a string matcher with an empty suffix'],
    [text('contains', ''), 'a string matcher with an empty contains'],
  ])('is refused: %j', (matcher, why) => {
    expect(() => compileStringMatcher(matcher as never)).toThrow(why);
  });

  it('is not one that asks for empty text', () => {
    const test = compileStringMatcher(text('exact', ''));
    expect([test(''), test('a')]).toEqual([true, false]);
  });
});

describe('a header matcher', () => {
  const head = (value: string | undefined): MatchableHead => ({ header: () => value });
  it.each<[matcher: unknown, yes: readonly (string | undefined)[], no: readonly (string | undefined)[]]>([
    [{}, ['a', ''], [undefined]],
    [{ present_match: true }, ['a'], [undefined]],
    [{ present_match: false }, [undefined], ['a']],
    [{ range_match: { start: 5, end: 7 } }, ['5', '6'], ['4', '7', 'a', undefined]],
    [{ string_match: { exact: 'Ab', ignore_case: true } }, ['aB'], ['abc']],
    [{ safe_regex_match: { regex: 'a+' } }, ['aa'], ['aab']],
    [{ exact_match: 'Ab' }, ['Ab'], ['ab', 'Abc']],
    [{ exact_match: '' }, ['', 'a'], [undefined]],
    [{ prefix_match: 'Ab' }, ['Abc'], ['abc', 'xAb']],
    [{ suffix_match: 'Ab' }, ['xAb'], ['xab', 'Abx']],
    [{ contains_match: 'Ab' }, ['xAbx'], ['xabx']],
    [{ exact_match: 'a', invert_match: true }, ['b'], ['a', undefined]],
    [{ exact_match: 'a', treat_missing_header_as_empty: true, invert_match: true }, [undefined, 'b'], ['a']],
  ])('%j', (matcher, yes, no) => {
    const test = compileHeaderMatcher(fromProtoJson(HeaderMatcher, { name: 'X-A', ...(matcher as object) }));
    expect([yes.filter((value) => !test(head(value))), no.filter((value) => test(head(value)))]).toEqual([[], []]);
  });

  it('asks for its header in lower case, and reads as it is told', () => {
    const names: string[] = [];
    const matcher = fromProtoJson(HeaderMatcher, { name: 'X-A', string_match: { exact: 'a' } });
    compileHeaderMatcher(matcher)({ header: (name) => void names.push(name) });
    expect(names).toEqual(['x-a']);
    const joined: MatchableHead = { header: () => 'b,a' };
    expect([compileHeaderMatcher(matcher)(joined), compileHeaderMatcher(matcher, 'denies')(joined)]).toEqual([false, true]);
  });
});

describe('a path specifier', () => {
  const compile = (match: object) => compilePathSpecifier(fromProtoJson(RouteMatch, match));

  it.each<[match: object, wanted: object]>([
    [{ prefix: '/a' }, { kind: 'prefix', value: '/a' }],
    [{ path: '/a' }, { kind: 'exact', value: '/a' }],
    [{ path_separated_prefix: '/a' }, { kind: 'separated_prefix', value: '/a' }],
    [{ connect_matcher: {} }, { kind: 'connect' }],
  ])('%j', (match, wanted) => {
    expect(compile(match)).toEqual(wanted);
  });

  it.each(['/a/', '/a?', '/a#', '/?a', '/#a', 'a?b', '', '/'])('separated by a slash may not be %j', (path_separated_prefix) => {
    expect(() => compile({ path_separated_prefix })).toThrow(`path_separated_prefix ${JSON.stringify(path_separated_prefix)} must not end`);
  });

  it('is there, and its policy is configured', () => {
    expect(() => compile({})).toThrow('a route match without a path specifier');
    expect(() => compile({ path_match_policy: { name: 'x' } })).toThrow('a path match policy without configuration');
  });
});

describe('a path template', () => {
  it.each<[template: string, yes: readonly string[], no: readonly string[]]>([
    ['/a', ['/a'], ['/a/', '/b', '/A', '/ab']],
    ['/*', ['/a'], ['/', '/a/b']],
    ['/a/*/b', ['/a/x/b'], ['/a//b', '/a/x/y/b', '/a/b']],
    ['/a/**', ['/a/', '/a/b/c'], ['/a', '/ab']],
    ['/a/**/b', ['/a/x/y/b', '/a//b'], ['/a/b']],
    ['/{x}/b', ['/1/b'], ['/1/2/b', '//b']],
    ['/{x=**}', ['/', '/1/2'], []],
    ['/{x=a/*}/b', ['/a/1/b'], ['/b/1/b', '/a/b']],
    ['/a.b+c?(d)|[e]^$\\', ['/a.b+c?(d)|[e]^$\\'], ['/axb+c?(d)|[e]^$\\', '/a.bbc?(d)|[e]^$\\']],
    ['/{a}/{b}/{c}/{d}/{e}', ['/1/2/3/4/5'], ['/1/2/3/4']],
  ])('%s', (template, yes, no) => {
    const test = compileUriTemplate(template);
    expect([yes.filter((path) => !test(path)), no.filter(test)]).toEqual([[], []]);
  });

  it('ignores case only where the router does', () => {
    expect([compileUriTemplate('/Ab/*')('/aB/x'), compileUriTemplate('/Ab/*', true)('/aB/x')]).toEqual([false, true]);
    expect(new PathBinding({ ignoreCase: true }).ignoresCase).toBe(true);
  });

  it.each<[template: string, why: string]>([
    ['a', 'it must begin with /'],
    ['', 'it must begin with /'],
    ['/{}', '{} is no variable'],
    ['/{a b}', '{a b} is no variable'],
    ['/{=x}', '{=x} is no variable'],
    ['/{a=}', '{a=} is no variable'],
    ['/{ a}', '{ a} is no variable'],
    ['/{a}/{a}', 'the variable a stands twice'],
    ['/{a}/{b}/{c}/{d}/{e}/{f}', 'more than 5 variables'],
    ['/a*', '"a*" mixes text and wildcards'],
    ['/***', '"***" mixes text and wildcards'],
    ['/{a', '"{a" mixes text and wildcards'],
    ['/a}', '"a}" mixes text and wildcards'],
  ])('%s is refused: %s', (template, why) => {
    expect(() => compileUriTemplate(template)).toThrow(`path template ${JSON.stringify(template)}: ${why}`);
  });
});

describe('a matcher of metadata', () => {
  const matches = (value: unknown, held: unknown, more: { path?: readonly string[]; invert?: boolean } = {}): boolean => {
    const { path = ['a', 'b'], invert = false } = more;
    const segments = path.map((key) => ({ segment: { $case: 'key' as const, value: key } }));
    const test = compileMetadataMatcher({ filter: 'f', path: segments, value: fromProtoJson(ValueMatcher, value), invert });
    return test({ metadata: held === undefined ? undefined : new Map([['f', held]]) } as unknown as Exchange);
  };
  const at = (b: unknown): object => ({ a: { b } });

  it.each<[matcher: object, yes: readonly unknown[], no: readonly unknown[]]>([
    [{ string_match: { exact: 'x' } }, ['x'], ['y', 5, ['x'], null, undefined]],
    [{ present_match: true }, ['x', 0, false, null], [undefined]],
    [{ present_match: false }, [], ['x', undefined]],
    [{ null_match: {} }, [null], ['x', undefined]],
    [{ bool_match: true }, [true], [false, 'true', 1]],
    [{ bool_match: false }, [false], [true, undefined]],
    [{ double_match: { exact: 5 } }, [5], [6, '5', undefined]],
    [{ double_match: { range: { start: 2, end: 5 } } }, [2, 4.9], [1.9, 5, '3', undefined]],
    [{ list_match: { one_of: { string_match: { exact: 'x' } } } }, [['x'], ['y', 'x']], [['y'], [], 'x', undefined]],
    [{ or_match: { value_matchers: [{ string_match: { exact: 'x' } }, { bool_match: true }] } }, ['x', true], ['y', false]],
  ])('%j', (matcher, yes, no) => {
    expect([yes.filter((value) => !matches(matcher, at(value))), no.filter((value) => matches(matcher, at(value)))]).toEqual([[], []]);
    expect(no.filter((value) => !matches(matcher, at(value), { invert: true }))).toEqual([]);
    expect(yes.filter((value) => matches(matcher, at(value), { invert: true }))).toEqual([]);
  });

  it('goes down through own members of objects, and what is not there matches nothing', () => {
    const x = { string_match: { exact: 'x' } };
    for (const held of [undefined, {}, { a: null }, { a: 'text' }, { a: { c: 'x' } }]) expect(matches(x, held)).toBe(false);
    expect(matches({ present_match: true }, {}, { path: ['toString'] })).toBe(false);
    expect(matches({ present_match: true }, { a: 'text' }, { path: ['a', 'length'] })).toBe(false);
    expect(matches(x, { a: 'x' }, { path: ['a'] })).toBe(true);
  });

  it.each<[value: object, why: string]>([
    [{}, 'metadata value matcher without a pattern is not supported'],
    [{ double_match: {} }, 'a number matcher without a pattern'],
    [{ list_match: {} }, 'metadata value matcher without a pattern'],
    [{ list_match: { one_of: {} } }, 'metadata value matcher without a pattern'],
  ])('that cannot be honoured is refused: %j', (value, why) => {
    expect(() => matches(value, {})).toThrow(why);
  });
});
