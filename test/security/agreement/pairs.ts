import type { Rule } from '@ripstop/istio-api';
import { ROUTES } from './routers.ts';

type Random = () => number;

/** What a policy says of paths. */
export interface PathPolicy {
  readonly action: 'ALLOW' | 'DENY';
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
}

const PARAMETERS = ['admin', 'a.b', 'x-y', 'Z', '7', 'a@b.c', 'p:q,r'];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** A path of one of the routes, as its author would write it. */
function routePath(random: Random): string {
  return pick(random, ROUTES).replace(/:\w+/g, () => pick(random, PARAMETERS));
}

/** A pattern that somebody might write about such a path. */
function pattern(random: Random): string {
  const path = routePath(random);
  const segments = path.split('/').slice(1);
  switch (Math.floor(random() * 7)) {
    case 0:
      return `${path}*`;
    case 1:
      return path === '/' ? '/*' : `${path}/*`;
    case 2:
      return `/${segments.slice(0, -1).join('/')}*`;
    case 3:
      return `*${path}`;
    case 4:
      return `*/${segments.at(-1)}`;
    case 5:
      return segments.length < 2 ? path : `/${['{*}', ...segments.slice(1)].join('/')}`;
    default:
      return path;
  }
}

/** The same in another spelling, that many routers take for it: what an author writes who does not look at the route. */
function respelled(random: Random, written: string): string {
  const exact = !/[*{]/.test(written);
  const at = Math.floor(random() * written.length);
  const letter = written[at]!;
  switch (Math.floor(random() * (exact ? 6 : 3))) {
    case 0:
      return written.toUpperCase();
    case 1:
      return `${written.slice(0, at)}${letter.toUpperCase()}${written.slice(at + 1)}`;
    case 2:
      return /[a-z]/.test(letter) ? `${written.slice(0, at)}%${letter.charCodeAt(0).toString(16)}${written.slice(at + 1)}` : written;
    case 3:
      return `${written}/`;
    case 4:
      return written.replace(/(?!^)\//, '//');
    default:
      return `${written};a=b`;
  }
}

/** `spelled`: its paths are often not in the spelling of the routes. */
export function randomPolicy(random: Random, spelled = false): PathPolicy {
  const one = (): string => {
    const written = pattern(random);
    return spelled && random() < 0.7 ? respelled(random, written) : written;
  };
  const list = (): string[] => Array.from({ length: 1 + Math.floor(random() * 2) }, one);
  const kind = random();
  return {
    action: random() < 0.5 ? 'ALLOW' : 'DENY',
    paths: kind < 0.75 ? list() : [],
    notPaths: kind >= 0.6 ? list() : [],
  };
}

export function ruleOf({ paths, notPaths }: PathPolicy): Rule {
  const operation = { ...(paths.length === 0 ? {} : { paths: [...paths] }), ...(notPaths.length === 0 ? {} : { notPaths: [...notPaths] }) };
  return { to: [{ operation }] };
}

/** How a router reads: one text for all paths that it takes for one. */
export type Reading = (path: string) => string;

/**
 * Slow and plain: what the YAML says of a path, by Istio's words. What denies denies the path as it is written; what admits may have
 * been written in any spelling that the router takes for the path.
 */
export function permits({ action, paths, notPaths }: PathPolicy, path: string, reads: Reading = (same) => same): boolean {
  const literally = (written: string): boolean => hits(written, path);
  const somehow = (written: string): boolean => literally(written) || hits(reads(written), reads(path));
  return action === 'ALLOW'
    ? (paths.length === 0 || paths.some(somehow)) && !notPaths.some(literally)
    : !(paths.length === 0 || paths.some(literally)) || notPaths.some(somehow);
}

function hits(written: string, path: string): boolean {
  if (written.includes('{*}')) {
    const [wanted, given] = [written.split('/'), path.split('/')];
    return wanted.length === given.length && wanted.every((part, at) => (part === '{*}' ? given[at] !== '' : part === given[at]));
  }
  if (written === '*') return path !== '';
  if (written.startsWith('*')) return path.endsWith(written.slice(1));
  if (written.endsWith('*')) return path.startsWith(written.slice(0, -1));
  return path === written;
}

/** A target that means to reach one of the routes by a way that the policy does not see. */
export function randomTarget(random: Random, { paths, notPaths }: PathPolicy): string {
  const named = [...paths, ...notPaths].filter((path) => path.startsWith('/') && !/[*{]/.test(path));
  let path = named.length > 0 && random() < 0.3 ? pick(random, named) : routePath(random);
  const turns = Math.floor(random() * 4);
  for (let turn = 0; turn < turns; turn++) path = mutate(random, path);
  if (random() < 0.1) path += '?x=/public';
  if (random() < 0.1) path += '#/public';
  return random() < 0.1 ? `http://other${path}` : path;
}

function escaped(path: string, at: number): string {
  return `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`;
}

function mutate(random: Random, path: string): string {
  const at = Math.floor(random() * (path.length + 1));
  const insert = (text: string): string => path.slice(0, at) + text + path.slice(at);
  const slash = path.indexOf('/', Math.min(at, path.length - 1));
  const atSlash = (text: string): string => (slash === -1 ? path + text : path.slice(0, slash) + text + path.slice(slash));
  switch (Math.floor(random() * 18)) {
    case 0:
      return path.toUpperCase();
    case 1:
      return path.slice(0, at) + (path[at]?.toUpperCase() ?? '') + path.slice(at + 1);
    case 2:
      return `${path}/`;
    case 3:
      return atSlash('/');
    case 4:
      return at < path.length && path[at] !== '/' ? escaped(path, at) : path;
    case 16:
    case 17:
      return /[@:,]/.test(path) ? escaped(path, path.search(/[@:,]/)) : path;
    case 5:
      return `${path};${pick(random, ['', 'a=b', '/public', 'x/public'])}`;
    case 6:
      return atSlash('/.');
    case 7:
      return atSlash('/x/..');
    case 8:
      return atSlash(`/x/${pick(random, ['%2e%2e', '.%2E', '..;', '..;a=b', '%2e%2e;'])}`);
    case 9:
      return `/public/..${path}`;
    case 10:
      return path.replaceAll('/', pick(random, ['\\', '%2f', '%5c', '//']));
    case 11:
      return insert(pick(random, [';', '%', '%00', '%25', '%2f', '.', '..', '%3b', ' ']));
    case 12:
      return `/${path}`;
    case 13:
      return `${path}/.`;
    case 14:
      return path.toLowerCase();
    default:
      return insert(pick(random, ['a', '/', '%61', '~', '-']));
  }
}
