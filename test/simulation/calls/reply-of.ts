import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { Reply } from '../observation.ts';
import type { Call } from '../row.ts';

/** Makes a call over an undici dispatcher. `now`: the clock that the call's time is taken by. */
export async function replyOf(dispatcher: Dispatcher, call: Call, now: () => number = () => performance.now()): Promise<Reply> {
  const { url, method = 'GET', headers = {}, body } = call;
  const { origin, host } = new URL(url);
  const started = now();
  try {
    const answer = await dispatcher.request({
      origin,
      path: url.slice(origin.length) || '/',
      method: method as Dispatcher.HttpMethod,
      headers: { host, ...headers },
      ...(body === undefined ? {} : { body }),
      reset: false, // undici would ask for the end of the connection after every HEAD
    });
    const text = decoded(await answer.body.bytes(), answer.headers['content-encoding']);
    return { status: answer.statusCode, headers: joined(answer.headers), body: text, tookMs: now() - started };
  } catch (error) {
    if (!CONNECTION_ENDED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return { status: 0, headers: {}, body: '', tookMs: now() - started };
  }
}

/** The other side closed or reset the connection instead of answering. */
const CONNECTION_ENDED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const DECODERS: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes),
  br: (bytes) => brotliDecompressSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
};

/** What the caller reads: encoders may differ in their bytes. */
function decoded(bytes: Uint8Array, coding: string | string[] | undefined): string {
  const decode = bytes.length === 0 ? undefined : DECODERS[String(coding)];
  return Buffer.from(decode === undefined ? bytes : decode(bytes)).toString();
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) lines[name] = Array.isArray(value) ? value.join(',') : value;
  return lines;
}
