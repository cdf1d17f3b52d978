import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchange, FakeHead } from '../testing/fakes.ts';
import { compileHeaderMatch, type HeaderMatchSpec, isJoinedHeader } from './header-matcher.ts';
import { type AppendAction, compileHeaderMutations, type HeaderAddition } from './header-mutations.ts';
import { compilePathMatch, type PathMatch } from './path-matcher.ts';
import { compileQueryMatch } from './query-matcher.ts';
import { compileRewrite } from './rewrite.ts';
import type { VirtualHost } from './route.ts';
import { createRouteTable } from './route-table.ts';
import { compileStringMatch } from './string-test.ts';

// 100,000 cases against the slowest, most obvious implementations that there are, and ten times as many in `npm run gate:fuzz:routing`
// (RIPSTOP_FUZZ_TIMES). A fixed seed, unless RIPSTOP_FUZZ_SEED names another: a failure is a failure every time.
const times = Number(process.env.RIPSTOP_FUZZ_TIMES ?? 1);
const runs = (numRuns: number) => ({ numRuns: numRuns * times, seed: Number(process.env.RIPSTOP_FUZZ_SEED ?? 20_261_126) });

const text = (alphabet: string, maxLength = 5): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
const value = text('abAB,é', 4);
const kind = fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const, 'contains' as const);

function fold(letters: string): string {
  return [...letters].map((letter) => (letter >= 'A' && letter <= 'Z' ? String.fromCharCode(letter.charCodeAt(0) + 32) : letter)).join('');
}

function slowString(how: 'exact' | 'prefix' | 'suffix' | 'contains', wanted: string, ignoreCase: boolean, found: string): boolean {
  const [a, b] = ignoreCase ? [fold(found), fold(wanted)] : [found, wanted];
  for (let start = 0; start + b.length <= a.length; start++) {
    if (a.substring(start, start + b.length) !== b) continue;
    const atStart = start === 0;
    const atEnd = start + b.length === a.length;
    if (how === 'contains' || (how === 'prefix' && atStart) || (how === 'suffix' && atEnd) || (how === 'exact' && atStart && atEnd))
      return true;
  }
  return false;
}

describe('compared with a slow reference', () => {
  it('string matchers', () => {
    fc.assert(
      fc.property(kind, value, fc.boolean(), value, (how, wanted, ignoreCase, found) => {
        expect(compileStringMatch({ kind: how, value: wanted, ignoreCase })(found)).toBe(slowString(how, wanted, ignoreCase, found));
      }),
      runs(20_000),
    );
  });

  it('header matchers', () => {
    const match: fc.Arbitrary<{ spec: HeaderMatchSpec['match']; slow: (value: string) => boolean }> = fc.oneof(
      fc.boolean().map((present) => ({ spec: { kind: 'present' as const, present }, slow: () => present })),
      fc.tuple(kind, value, fc.boolean()).map(([how, wanted, ignoreCase]) => ({
        spec: { kind: 'string' as const, test: compileStringMatch({ kind: how, value: wanted, ignoreCase }) },
        slow: (found: string) => slowString(how, wanted, ignoreCase, found),
      })),
      fc.tuple(fc.integer({ min: -3, max: 12 }), fc.integer({ min: -3, max: 12 })).map(([start, end]) => ({
        spec: { kind: 'range' as const, start, end },
        slow: (found: string) => {
          for (let number = start; number < end; number++)
            if (found === `${number}` || found === `+${number}` || (number === 0 && found === '-0')) return true;
          return false;
        },
      })),
    );
    const line = fc.oneof(value, fc.integer({ min: -4, max: 13 }).map(String), fc.constantFrom('+5', '1x', '5.0', '-0', ' 5'));
    const names = fc.constantFrom('x-m', 'accept', 'x-b3-traceid', 'cookie', 'via');
    fc.assert(
      fc.property(
        match,
        names,
        fc.array(line, { maxLength: 3 }),
        fc.boolean(),
        fc.boolean(),
        ({ spec, slow }, name, lines, invert, treatMissingAsEmpty) => {
          const test = compileHeaderMatch({ name, match: spec, invert, treatMissingAsEmpty });
          const values = lines.length > 0 && isJoinedHeader(name) ? [lines.join(',')] : lines;
          let wanted: boolean;
          if (spec.kind === 'present') {
            const isThere = values.length > 0 || treatMissingAsEmpty;
            wanted = invert ? isThere !== spec.present : isThere === spec.present;
          } else if (values.length > 0) wanted = values.some(slow) !== invert;
          else wanted = treatMissingAsEmpty ? slow('') !== invert : false;
          expect(test(new FakeHead({ [name]: lines }))).toBe(wanted);
        },
      ),
      runs(25_000),
    );
  });

  const pathMatch: fc.Arbitrary<PathMatch & { value: string }> = fc.record({
    kind: fc.constantFrom('prefix' as const, 'exact' as const, 'separated_prefix' as const),
    value: text('aB/', 4).map((rest) => `/${rest}`),
  });
  const path = text('aAbB/', 6).map((rest) => `/${rest}`);

  function slowPath(match: PathMatch & { value: string }, caseSensitive: boolean, found: string): boolean {
    const [a, b] = caseSensitive ? [found, match.value] : [fold(found), fold(match.value)];
    if (a === b) return true;
    if (match.kind === 'exact') return false;
    const rest = a.substring(b.length);
    return `${b}${rest}` === a && (match.kind === 'prefix' || rest.startsWith('/'));
  }

  it('path matchers, and prefix rewrites of what they matched', () => {
    fc.assert(
      fc.property(
        pathMatch,
        fc.boolean(),
        path,
        fc.option(text('q=&?', 4)),
        fc.constantFrom('/', '/n', '/n/'),
        (match, caseSensitive, found, query, replacement) => {
          const wanted = slowPath(match, caseSensitive, found);
          expect(compilePathMatch(match, caseSensitive)(found)).toBe(wanted);
          if (!wanted) return;
          const whole = query === null ? found : `${found}?${query}`;
          const x = exchange({ request: new FakeHead({}, { path: whole }) });
          const none = { regexRewrite: undefined, hostLiteral: '', hostHeader: '', hostRegex: undefined, appendXForwardedHost: false };
          compileRewrite({ ...none, prefixRewrite: replacement }, match)(x);
          const letters = [...whole];
          letters.splice(0, match.value.length, replacement);
          expect(x.request.path).toBe(letters.join(''));
          expect(x.request.header('x-envoy-original-path')).toBe(whole);
        },
      ),
      runs(20_000),
    );
  });

  it('query matchers', () => {
    const query = text('ab=&;', 8);
    fc.assert(
      fc.property(query, fc.constantFrom('a', 'b', 'ab'), value, fc.boolean(), fc.boolean(), (found, name, wanted, present, byPresence) => {
        const values = found
          .split('&')
          .flatMap((pair) => (pair === name ? [''] : pair.startsWith(`${name}=`) ? [pair.substring(name.length + 1)] : []));
        const slow = byPresence ? values.length > 0 === present : values.length > 0 && values[0] === wanted;
        const test = byPresence ? undefined : (first: string) => first === wanted;
        expect(compileQueryMatch({ name, present: byPresence ? present : true, test })(`/?${found}`)).toBe(slow);
      }),
      runs(10_000),
    );
  });

  it('virtual hosts', () => {
    const label = text('ab.-', 4);
    const domain = fc.oneof(
      label,
      label.map((rest) => `*${rest}`),
      label.map((rest) => `${rest}*`),
      label.map((rest) => `${rest}:80`),
    );
    const authority = fc.oneof(
      text('abAB.-', 6),
      text('abAB.-', 4).map((rest) => `${rest}:80`),
    );
    fc.assert(
      fc.property(fc.uniqueArray(domain, { maxLength: 6 }), authority, fc.boolean(), (domains, host, ignorePort) => {
        const hosts: VirtualHost[] = domains.map((one) => ({
          name: one,
          domains: [one],
          routes: [],
          includeAttemptCount: false,
          requireTls: false,
        }));
        const asked = fold(ignorePort ? host.replace(/:80$/, '') : host);
        const longest = (found: string[]): string | undefined => found.sort((a, b) => b.length - a.length)[0];
        const wanted =
          domains.find((one) => one === asked && one !== '*') ??
          longest(
            domains.filter(
              (one) => one !== '*' && one.startsWith('*') && asked.endsWith(one.substring(1)) && asked.length > one.length - 1,
            ),
          ) ??
          longest(
            domains.filter(
              (one) =>
                one !== '*' &&
                !one.startsWith('*') &&
                one.endsWith('*') &&
                asked.startsWith(one.slice(0, -1)) &&
                asked.length > one.length - 1,
            ),
          ) ??
          domains.find((one) => one === '*');
        const found = createRouteTable('t', hosts, ignorePort).virtualHost(host)?.name;
        expect(found?.length).toBe(wanted?.length);
        expect(found).toBe(wanted);
      }),
      runs(15_000),
    );
  });

  it('header operations', () => {
    const name = fc.constantFrom('x-a' as const, 'x-b' as const, 'via' as const);
    const action = fc.constantFrom<AppendAction>(
      'APPEND_IF_EXISTS_OR_ADD',
      'ADD_IF_ABSENT',
      'OVERWRITE_IF_EXISTS_OR_ADD',
      'OVERWRITE_IF_EXISTS',
    );
    const addition: fc.Arbitrary<HeaderAddition> = fc.record({
      name,
      value: fc.constantFrom('1', '', '%REQ(x-a)%', 'p-%REQ(x-b)%-%%'),
      action,
      keepEmpty: fc.boolean(),
    });
    const level = fc.record({ requestAdd: fc.array(addition, { maxLength: 3 }), requestRemove: fc.array(name, { maxLength: 2 }) });
    const lines = fc.array(fc.tuple(name, fc.constantFrom('u', 'v', '')), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(level, { maxLength: 3 }), lines, (levels, before) => {
        const head = new FakeHead();
        head.lines = before.map(([header, text]): [string, string] => [header, text]);
        const x = exchange({ request: head });
        let slow = before.map(([header, text]): [string, string] => [header, text]);
        for (const { requestAdd, requestRemove } of levels) {
          slow = slow.filter(([header]) => !requestRemove.some((removed) => removed === header));
          const there = (header: string): string[] => slow.filter(([other]) => other === header).map(([, text]) => text);
          const seen = (header: string): string => there(header)[0] ?? '';
          const rendered = requestAdd.map(({ value: format }) =>
            format.replace('%REQ(x-a)%', seen('x-a')).replace('%REQ(x-b)%', seen('x-b')).replace('%%', '%'),
          );
          const known = { 'x-a': there('x-a').length > 0, 'x-b': there('x-b').length > 0, via: there('via').length > 0 };
          const wanted = requestAdd.map((add, index) => ({ ...add, text: rendered[index]!, there: known[add.name as 'via'] }));
          const kept = wanted.filter(({ text, keepEmpty }) => text !== '' || keepEmpty);
          for (const { name: header, action: how, text, there: existed } of kept)
            if (how === 'OVERWRITE_IF_EXISTS_OR_ADD' || (how === 'OVERWRITE_IF_EXISTS' && existed))
              slow = [...slow.filter(([other]) => other !== header), [header, text]];
          for (const { name: header, action: how, text, there: existed } of kept)
            if (how === 'APPEND_IF_EXISTS_OR_ADD' || (how === 'ADD_IF_ABSENT' && !existed)) slow = [...slow, [header, text]];
        }
        const operations = levels.map((one) => ({ ...one, responseAdd: [], responseRemove: [] }));
        compileHeaderMutations(operations)?.onRequest(x, head);
        for (const header of ['x-a', 'x-b', 'via']) {
          const wanted = slow.filter(([other]) => other === header).map(([, text]) => text);
          if (header === 'via')
            expect((head.header('via') ?? '').replace(/^,+|,+$|,+(?=,)/g, '')).toBe(wanted.filter((text) => text !== '').join(','));
          else expect(head.headerLines(header)).toEqual(wanted);
        }
      }),
      runs(10_000),
    );
  });
});
