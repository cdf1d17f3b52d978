import type { MeshObject } from '../object.ts';
import type { HTTPMatchRequest, StringMatch, VirtualServiceSpec } from '../types/networking.ts';
import type { Analyzer, Say } from './say.ts';

type Match = HTTPMatchRequest & { readonly sniHosts?: readonly string[] };
interface AnyRoute {
  readonly name?: string;
  readonly match?: readonly Match[];
}
interface PrefixMatch {
  readonly match: Match;
  readonly prefix: string;
  readonly rule: number;
  readonly index: number;
}

/** Routes and matches that no request gets to, and what is deprecated in them (Istio: analyzeUnreachableHTTPRules and its kin). */
export const analyzeRoutes: Analyzer = (mesh, say) => {
  for (const object of mesh.all<VirtualServiceSpec>('networking.istio.io/VirtualService')) {
    const { http = [], tls = [], tcp = [] } = object.spec;
    checkOrder(object, 'http', http, say);
    checkOverlap(object, http, say);
    for (const [rule, { fault }] of http.entries())
      if ((fault?.delay?.percent ?? 0) > 0)
        say(
          object,
          'IST0002',
          ['spec', 'http', rule, 'fault', 'delay', 'percent'],
          'delay.percent is deprecated: use percentage: { value: … }',
        );
    checkOrder(object, 'tls', tls as readonly AnyRoute[], say);
    checkOrder(object, 'tcp', tcp as readonly AnyRoute[], say);
  }
};

function checkOrder(object: MeshObject, kind: string, routes: readonly AnyRoute[], say: Say): void {
  const taken = new Map<string, number>();
  let catchAll: number | undefined;
  const unused = (rule: number, why: string): void =>
    say(object, 'IST0130', ['spec', kind, rule], `rule ${nameOf(routes[rule]!, rule)} is not used: ${why}; move it up or remove it`);
  for (const [rule, route] of routes.entries()) {
    const matches = route.match ?? [];
    if (catchAll !== undefined) {
      unused(rule, `${kind}[${catchAll}] has no match and takes every request`);
      continue;
    }
    if (matches.length === 0) {
      catchAll = rule;
      continue;
    }
    let duplicates = 0;
    for (const [index, match] of matches.entries()) {
      const key = JSON.stringify(sorted({ ...match, name: undefined }));
      const before = taken.get(key);
      if (before === undefined) taken.set(key, rule);
      else {
        duplicates += 1;
        const owner = nameOf(routes[before]!, before);
        say(
          object,
          'IST0131',
          ['spec', kind, rule, 'match', index],
          `rule ${nameOf(route, rule)}: match ${nameOf(match, index)} is not used: rule ${owner} has the same one`,
        );
      }
    }
    if (duplicates === matches.length) unused(rule, 'all its matches are taken by earlier rules');
  }
}

/** A prefix behind a shorter one that asks for nothing more. */
function checkOverlap(object: MeshObject, routes: readonly AnyRoute[], say: Say): void {
  const prefixes: PrefixMatch[] = routes.flatMap(({ match = [] }, rule) =>
    match.flatMap((entry, index) => (entry.uri?.prefix ? [{ match: entry, prefix: entry.uri.prefix, rule, index }] : [])),
  );
  for (const [at, before] of prefixes.entries())
    for (const after of prefixes.slice(at + 1)) {
      if (after.prefix === before.prefix || !covers(before, after)) continue;
      const [route, owner] = [nameOf(routes[after.rule]!, after.rule), nameOf(routes[before.rule]!, before.rule)];
      say(
        object,
        'IST0131',
        ['spec', 'http', after.rule, 'match', after.index],
        `rule ${route}: match ${nameOf(after.match, after.index)} of prefix ${after.prefix} is not used: prefix ${before.prefix} of rule ${owner} takes its requests; put the longer prefix first`,
      );
    }
}

function covers(before: PrefixMatch, after: PrefixMatch): boolean {
  if (!after.prefix.startsWith(before.prefix) || before.match.port !== after.match.port) return false;
  // Istio takes a match without a method for one of GET.
  const method = ({ match }: PrefixMatch): string => condition(match.method) || 'exact GET';
  if (!method(before).startsWith(method(after)) && method(before) !== method(after)) return false;
  if (!condition(before.match.authority).startsWith(condition(after.match.authority))) return false;
  return (['headers', 'queryParams', 'withoutHeaders'] as const).every((field) => {
    const [one, other] = [before.match[field] ?? {}, after.match[field] ?? {}];
    if (Object.keys(one).length !== Object.keys(other).length) return false;
    return Object.entries(one).every(([name, value]) => other[name] !== undefined && condition(value).startsWith(condition(other[name])));
  });
}

function condition(value: StringMatch | undefined): string {
  if (value?.exact !== undefined) return `exact ${value.exact}`;
  return value?.prefix === undefined ? '' : `prefix ${value.prefix}`;
}

function nameOf({ name }: { readonly name?: string }, index: number): string {
  return name === undefined || name === '' ? `#${index}` : `"${name}"`;
}

/** The order of fields says nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
