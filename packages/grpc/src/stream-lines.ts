import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type grpc from '@grpc/grpc-js';
import { readsAsMeshHeader } from '@ripstop/core';
import { joinCrumbs } from './metadata-text.ts';

/** Envoy's max_headers_count, pseudo headers included. */
const MAX_FIELDS = 100;
/** Envoy's max_request_headers_kb. */
const MAX_HEADER_BYTES = 60 * 1024;
/** Carries the names whose lines are kept apart to the interceptor. What a caller sends under this name is overwritten or taken away. */
const SEVERAL = 'x-ripstop-lines';

/**
 * Stands between a session of node:http2 and grpc-js, which gets several lines of one name as one text, of some names the first alone.
 * Policies are judged line by line; too many fields, or too large ones, end the stream as in Envoy.
 */
export function keepLines(session: ServerHttp2Session): void {
  const emit = session.emit.bind(session) as (event: string, ...args: unknown[]) => boolean;
  session.emit = ((event: string, ...args: unknown[]) => {
    if (event !== 'stream') return emit(event, ...args);
    const [stream, headers, , lines] = args as [ServerHttp2Stream, IncomingHttpHeaders, number, readonly string[]];
    if (!isTooLarge(lines)) {
      settleLines(headers, lines);
      return emit(event, ...args);
    }
    stream.on('error', () => {}); // The caller may have gone.
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return true;
  }) as ServerHttp2Session['emit'];
}

function isTooLarge(lines: readonly string[]): boolean {
  let bytes = 0;
  for (let at = 0; at < lines.length; at++) bytes += lines[at]!.length;
  return lines.length > 2 * MAX_FIELDS || bytes > MAX_HEADER_BYTES;
}

/** Turns what was joined into lists, which Metadata takes line by line. */
export function settleLines(headers: IncomingHttpHeaders, lines: readonly string[]): void {
  let several: string | undefined;
  if (headers[SEVERAL] !== undefined) delete headers[SEVERAL];
  if (headers.host !== undefined && headers[':authority'] !== undefined) delete headers.host;
  for (let at = 0; at < lines.length; at += 2) {
    const name = lines[at]!;
    const joined = headers[name];
    if (joined === undefined || joined === lines[at + 1] || Array.isArray(joined) || name.charCodeAt(0) === COLON) continue;
    const all = linesOf(lines, name);
    if (name === 'cookie') settleCookie(headers, all);
    else if (all.length > 1 && !OF_ONE_LINE.has(name)) {
      headers[name] = all;
      several = several === undefined ? name : `${several},${name}`;
    }
  }
  for (let at = 0; at < lines.length; at += 2) if (readsAsMeshHeader(lines[at]!)) delete headers[lines[at]!];
  if (several !== undefined) headers[SEVERAL] = several;
}

const COLON = 58;
/** grpc-js reads them from the headers itself, as texts. */
const OF_ONE_LINE: ReadonlySet<string> = new Set(['content-type', 'te', 'host', SEVERAL]);

function linesOf(lines: readonly string[], name: string): string[] {
  return lines.filter((_text, at) => at % 2 === 1 && lines[at - 1] === name);
}

/** As the codec of Envoy: crumbs are one cookie, and an empty one is none. */
function settleCookie(headers: IncomingHttpHeaders, crumbs: readonly string[]): void {
  const cookie = joinCrumbs(crumbs);
  if (cookie === '') delete headers.cookie;
  else headers.cookie = cookie;
}

/** The app sees what it would see without the mesh: the lines of a name as one text. Names that filters have changed stay as they are. */
export function joinLines(metadata: grpc.Metadata, names: string | undefined): void {
  if (names === undefined) return;
  for (const name of names.split(',')) {
    const values = metadata.get(name);
    if (values.length > 1 && values.every((value) => typeof value === 'string')) metadata.set(name, values.join(', '));
  }
}

/** The names whose lines are kept apart, taken out of a call's metadata. */
export function takeSeveral(metadata: grpc.Metadata): string | undefined {
  const [names] = metadata.get(SEVERAL);
  if (names === undefined) return undefined;
  metadata.remove(SEVERAL);
  return String(names);
}
