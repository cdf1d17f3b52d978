import type { RequestHead } from '@ripstop/core';
import { OutboundHead } from './outbound-head.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Header lines in undici's flat form: our own head's as they are, another driver's without what belongs to its connection. */
export function forwardableLines(request: RequestHead): string[] {
  if (request instanceof OutboundHead) return request.lines;
  if (request.pairs === undefined) throw new TypeError('this request head cannot be forwarded: it has no pairs()');
  const lines = ['host', request.authority];
  const pairs = request.pairs();
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at]!.toLowerCase();
    const value = pairs[at + 1]!;
    if (!HOP_BY_HOP.has(name) && (name !== 'te' || value === 'trailers')) lines.push(name, value);
  }
  return lines;
}
