import type { HttpConnectionManager } from './route/route.ts';

export type NormalizedPath =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'reject' }
  | { readonly kind: 'redirect'; readonly path: string };

type Options = Pick<HttpConnectionManager, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>;

const REJECT: NormalizedPath = { kind: 'reject' };
/** What any rule could touch; most paths have nothing of it. */
const TOUCHED = /[^\w\-./]|\/\/|[/.]\./;

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
  if (!TOUCHED.test(path)) return { kind: 'path', path: whole };
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

function unescapeSlashes(path: string, action: Options['escapedSlashes']): string | undefined {
  if (action === 'KEEP_UNCHANGED' || !/%2f|%5c/i.test(path)) return path;
  if (action === 'REJECT_REQUEST') return undefined;
  return path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
}

/** Envoy joins what stands between the slashes again: of slashes alone two are left. */
function mergeSlashes(path: string): string {
  return /^\/{2,}$/.test(path) ? '//' : path.replace(/\/{2,}/g, '/');
}

/** Decodes escapes of unreserved bytes once, upper-cases nothing else, escapes what must not stand raw. */
function canonicalBytes(path: string): string {
  return path.replace(/%[0-9a-fA-F]{2}|["<>^`{|} \x80-\uffff]/g, (found) => {
    if (!found.startsWith('%')) return percentEncode(found);
    const char = String.fromCharCode(Number.parseInt(found.slice(1), 16));
    return /[\w\-.~]/.test(char) ? char : found;
  });
}

/** One character is one byte here (latin1), as it came off the wire. */
function percentEncode(char: string): string {
  const code = char.charCodeAt(0);
  return code <= 0xff ? `%${code.toString(16).toUpperCase()}` : encodeURIComponent(char);
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
