import type { Seen } from './apps.ts';
import type { Expected } from './row.ts';

/** How a request of the corpus ended; status 0 = without a response. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** `bypass` = the app saw what had to be kept from it; `wrong` = any other difference. */
export interface Finding {
  readonly kind: 'bypass' | 'wrong';
  readonly what: string;
}

/** Undefined = as expected. */
export function judge(expected: Expected, { status, body }: Answer, seen: readonly Seen[]): Finding | undefined {
  if (Object.hasOwn(Object.prototype, 'polluted')) return { kind: 'wrong', what: 'Object.prototype was changed' };
  if (expected === 'cut') return seen.length > 1 ? { kind: 'bypass', what: `the app saw ${JSON.stringify(seen[1]!.path)}` } : undefined;
  if (expected === 'broken') return status === 0 ? undefined : wrong(`status ${status}`);
  if (typeof expected !== 'object') {
    if (seen.length > 0) return { kind: 'bypass', what: `the app saw ${JSON.stringify(seen[0]!.path)}, status ${status}` };
    const wanted = expected === 'D' ? 403 : expected === 'reset' ? 0 : expected;
    if (status !== wanted) return wrong(`status ${status}, not ${wanted}`);
    return expected === 'D' && body !== 'RBAC: access denied' ? wrong(`body ${JSON.stringify(body)}`) : undefined;
  }
  const wanted = expected.status ?? 200;
  if (status !== wanted) return wrong(`status ${status}, not ${wanted}`);
  if (seen.length !== 1) return wrong(`the app saw ${seen.length} requests`);
  const [{ path, host, headers }] = seen as [Seen];
  if (expected.path !== undefined && path !== expected.path) return wrong(`the app saw path ${path}`);
  if (expected.host !== undefined && host !== expected.host) return wrong(`the app saw host ${host}`);
  for (const [name, value] of Object.entries(expected.headers ?? {}))
    if (value instanceof RegExp ? !value.test(String(headers[name])) : headers[name] !== value)
      return wrong(`the app saw ${name}: ${String(headers[name])}`);
  return undefined;
}

function wrong(what: string): Finding {
  return { kind: 'wrong', what };
}
