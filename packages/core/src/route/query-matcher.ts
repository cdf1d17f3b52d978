import type { StringTest } from './string-test.ts';

/** Envoy's QueryParameterMatcher: the first value of a key, neither decoded. `test` undefined = presence only. */
export interface QueryMatchSpec {
  readonly name: string;
  readonly present: boolean;
  readonly test: StringTest | undefined;
}

export type QueryTest = (path: string) => boolean;

export function compileQueryMatch({ name, present, test }: QueryMatchSpec): QueryTest {
  return (path) => {
    const value = queryValue(path, name);
    if (value === undefined) return !present && test === undefined;
    return test === undefined ? present : test(value);
  };
}

/** The first value of a query key; `?k` has the empty value. `;` belongs to the value. */
export function queryValue(path: string, name: string): string | undefined {
  const question = path.indexOf('?');
  if (question === -1) return undefined;
  for (const pair of path.slice(question + 1).split('&')) {
    const equals = pair.indexOf('=');
    const key = equals === -1 ? pair : pair.slice(0, equals);
    if (key === name) return equals === -1 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}
