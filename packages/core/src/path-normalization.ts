import type { HttpConnectionManager } from './route/route.ts';

export type NormalizedPath =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'reject' }
  | { readonly kind: 'redirect'; readonly path: string };

type Options = Pick<HttpConnectionManager, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>;

const REJECT: NormalizedPath = { kind: 'reject' };

/**
 * Envoy's path normalisation: escaped slashes, then dot segments and escapes of unreserved bytes, then merged slashes. The fragment is
 * cut first (Istio's http_reject_path_with_fragment=false). The query is untouched. What comes out is what is authorised and what the
 * app sees.
 */
export function normalizePath(target: string, options: Options): NormalizedPath {
  const hash = target.indexOf('#');
  const whole = hash === -1 ? target : target.slice(0, hash);
  const question = whole.indexOf('?');
  let path = question === -1 ? whole : whole.slice(0, question);
  const query = question === -1 ? '' : whole.slice(question);
  if (isPlain(path)) return { kind: 'path', path: whole };
  if (/%00|\0/.test(path)) return REJECT; // Also under NONE: stricter than Envoy there (docs/reference/differences.md).

  const slashes = unescapeSlashes(path, options.escapedSlashes);
  if (slashes === undefined) return REJECT;
  const redirected = slashes !== path && options.escapedSlashes === 'UNESCAPE_AND_REDIRECT';
  path = slashes;
  if (options.normalizePath) path = removeDotSegments(path);
  if (options.mergeSlashes) path = mergeSlashes(path);
  if (redirected) return { kind: 'redirect', path: path + query };
  return { kind: 'path', path: path + query };
}

/** The common case, without allocation: nothing in the path that any rule could touch. */
function isPlain(path: string): boolean {
  let previous = 0;
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    const plain =
      (code >= 97 && code <= 122) ||
      (code >= 48 && code <= 57) ||
      (code >= 65 && code <= 90) ||
      code === 45 ||
      code === 95 ||
      (code === 47 && previous !== 47) ||
      (code === 46 && previous !== 47 && previous !== 46);
    if (!plain) return false;
    previous = code;
  }
  return true;
}

function unescapeSlashes(path: string, action: Options['escapedSlashes']): string | undefined {
  if (action === 'KEEP_UNCHANGED' || !/%2f|%5c/i.test(path)) return path;
  if (action === 'REJECT_REQUEST') return undefined;
  return path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
}

const ENCODE = new Set(['"', '<', '>', '^', '`', '{', '|', '}', ' ']);

/** Envoy joins what stands between the slashes again: of slashes alone two are left. */
function mergeSlashes(path: string): string {
  return /^\/{2,}$/.test(path) ? '//' : path.replace(/\/{2,}/g, '/');
}

/** Decodes escapes of unreserved bytes once, upper-cases nothing else, escapes what must not stand raw. */
function canonicalBytes(path: string): string {
  let out = '';
  for (let index = 0; index < path.length; index++) {
    const char = path[index]!;
    if (char === '%') {
      const byte = hexByte(path, index + 1);
      if (byte === undefined) {
        out += char;
      } else {
        out += isUnreserved(byte) ? String.fromCharCode(byte) : path.slice(index, index + 3);
        index += 2;
      }
    } else if (ENCODE.has(char)) out += `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
    else if (char.charCodeAt(0) >= 0x80) out += percentEncode(char);
    else out += char;
  }
  return out;
}

/** One character is one byte here (latin1), as it came off the wire. */
function percentEncode(char: string): string {
  const code = char.charCodeAt(0);
  return code <= 0xff ? `%${code.toString(16).toUpperCase()}` : encodeURIComponent(char);
}

function hexByte(text: string, at: number): number | undefined {
  const digits = text.slice(at, at + 2);
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

function isUnreserved(byte: number): boolean {
  return (
    (byte >= 48 && byte <= 57) ||
    (byte >= 65 && byte <= 90) ||
    (byte >= 97 && byte <= 122) ||
    byte === 45 ||
    byte === 46 ||
    byte === 95 ||
    byte === 126
  );
}

/** RFC 3986 dot segments, escaped ones too; with `;parameters` only a literal `.` or `..` counts as one, as in Envoy. */
function removeDotSegments(path: string): string {
  const slashed = path.replaceAll('\\', '/');
  if (!slashed.startsWith('/')) return canonicalBytes(slashed);
  const out: string[] = [];
  const segments = slashed.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const semicolon = segment.indexOf(';');
    const canonical = canonicalBytes(segment);
    const bare = semicolon === -1 ? canonical : segment.slice(0, semicolon);
    if (bare === '.' || bare === '..') {
      if (bare === '..') out.pop();
      if (last) out.push('');
    } else out.push(canonical);
  }
  return `/${out.join('/')}`;
}
