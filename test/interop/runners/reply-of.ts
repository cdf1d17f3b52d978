import type { Dispatcher } from 'undici';
import type { Reply } from '../table/observation.ts';
import type { Call } from '../table/row.ts';

/** Makes a call over an undici dispatcher. */
export async function replyOf(dispatcher: Dispatcher, { url, method = 'GET', headers = {}, body }: Call): Promise<Reply> {
  const { origin, host } = new URL(url);
  const started = performance.now();
  const answer = await dispatcher.request({
    origin,
    path: url.slice(origin.length) || '/',
    method: method as Dispatcher.HttpMethod,
    headers: { host, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: joined(answer.headers), body: text, tookMs: performance.now() - started };
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) lines[name] = Array.isArray(value) ? value.join(',') : value;
  return lines;
}
