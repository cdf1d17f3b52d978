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
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: joined(answer.headers), body: text, tookMs: now() - started };
  } catch (error) {
    if (!CONNECTION_ENDED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return { status: 0, headers: {}, body: '', tookMs: now() - started };
  }
}

/** The other side closed or reset the connection instead of answering. */
const CONNECTION_ENDED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) lines[name] = Array.isArray(value) ? value.join(',') : value;
  return lines;
}
