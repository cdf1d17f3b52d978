import type { RequestHead } from '@ripstop/core';

/** Where tokens are looked for. Names of headers are lower-case. */
export interface TokenPlaces {
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

/** A token that was found, and how to take it out of the request. */
export interface FoundToken {
  readonly token: string;
  readonly place: { readonly kind: 'header' | 'param' | 'cookie'; readonly name: string };
}

/** Where tokens stand when a provider names no place (RFC 6750). */
export const DEFAULT_PLACES: TokenPlaces = {
  headers: [{ name: 'authorization', prefix: 'Bearer ' }],
  params: ['access_token'],
  cookies: [],
};

/** Sorted as Envoy looks through them: by name and prefix. */
export function sortedPlaces({ headers, params, cookies }: TokenPlaces): TokenPlaces {
  const key = (header: TokenPlaces['headers'][number]): string => header.name + header.prefix;
  return {
    headers: [...headers].sort((a, b) => (key(a) < key(b) ? -1 : 1)),
    params: [...params].sort(),
    cookies: [...cookies].sort(),
  };
}

/** Every token of a request, in the order in which Envoy judges them: cookies, parameters, headers, each from the last name to the first. */
export function findTokens(request: RequestHead, places: TokenPlaces): FoundToken[] {
  const found: FoundToken[] = [];
  const add = (kind: FoundToken['place']['kind'], name: string, token: string | undefined): void => {
    if (token !== undefined) found.push({ token, place: { kind, name } });
  };
  for (const { name, prefix } of places.headers) add('header', name, afterPrefix(request.header(name), prefix));
  if (places.params.length > 0 && request.path.includes('?')) {
    for (const name of places.params) add('param', name, queryParam(request.path, name));
  }
  if (places.cookies.length > 0) {
    const lines = request.headerLines('cookie');
    for (const name of places.cookies) add('cookie', name, cookie(lines, name));
  }
  return found.reverse();
}

/** Takes an accepted token out. A cookie stays (Envoy). */
export function removeToken(request: RequestHead, { kind, name }: FoundToken['place']): void {
  if (kind === 'header') request.removeHeader(name);
  if (kind === 'param') request.path = withoutParam(request.path, name);
}

/** The path with tokens made unreadable, for logs of a request that is refused because of one. */
export function redactTokens(path: string, params: ReadonlySet<string>): string {
  const question = path.indexOf('?');
  if (question === -1) return path;
  const pairs = pairsOf(path).map((pair) => (params.has(nameOf(pair)) ? `${nameOf(pair)}=[redacted]` : pair));
  return `${path.slice(0, question)}?${pairs.join('&')}`;
}

/** The prefix may stand anywhere; what no token can begin with is passed over behind it. */
function afterPrefix(value: string | undefined, prefix: string): string | undefined {
  if (value === undefined || prefix === '') return value;
  const at = value.indexOf(prefix);
  if (at === -1) return undefined;
  const rest = value.slice(at + prefix.length);
  const start = rest.search(/[A-Za-z0-9_.-]/);
  return start === -1 ? rest : rest.slice(start);
}

/** The first of that name, percent-decoded. */
function queryParam(path: string, name: string): string | undefined {
  const pair = pairsOf(path).find((candidate) => nameOf(candidate) === name);
  if (pair === undefined) return undefined;
  const equals = pair.indexOf('=');
  return equals === -1 ? '' : percentDecoded(pair.slice(equals + 1));
}

/** Every one of that name goes; the others stay byte for byte (Envoy sorts and decodes them, which can change what they mean). */
function withoutParam(path: string, name: string): string {
  const kept = pairsOf(path).filter((pair) => nameOf(pair) !== name);
  const bare = path.slice(0, path.indexOf('?'));
  return kept.length === 0 ? bare : `${bare}?${kept.join('&')}`;
}

function pairsOf(path: string): string[] {
  return path.slice(path.indexOf('?') + 1).split('&');
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return percentDecoded(equals === -1 ? pair : pair.slice(0, equals));
}

/** `%zz` stays as it is. Bytes, not characters: a token is ASCII anyway. */
function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The first of that name, without quotes. */
function cookie(lines: readonly string[], name: string): string | undefined {
  for (const line of lines) {
    for (const part of line.split(';')) {
      const equals = part.indexOf('=');
      if (equals === -1 || part.slice(0, equals).trim() !== name) continue;
      const value = part.slice(equals + 1).trim();
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}
