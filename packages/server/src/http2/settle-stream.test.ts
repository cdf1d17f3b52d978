import { constants } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { InboundHead } from '../inbound-head.ts';
import {
  ABSOLUTE_PATH_REJECTED,
  CODEC_ERROR,
  INVALID_AUTHORITY,
  MISSING_HOST,
  QUERY_WITHOUT_TYPE,
  REPEATED_AUTHORIZATION,
} from '../request-target.ts';
import { type StreamRefusal, settleStream } from './settle-stream.ts';
import { StreamMessage } from './stream-message.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants;

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

const GET: Fields = { ':method': 'GET', ':scheme': 'http', ':authority': 'a', ':path': '/' };

/** A field of several values stands there so often; undefined takes one of {@link GET} away. */
function settled(fields: Fields, { http1App = false, maxHeaders }: { http1App?: boolean; maxHeaders?: number } = {}) {
  const pairs = Object.entries({ ...GET, ...fields }).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((line): [string, string] => [name, line]),
  );
  const message = new StreamMessage(Object.fromEntries(pairs), pairs.flat());
  const head = new InboundHead(message, 'http');
  const refusal = maxHeaders === undefined ? settleStream(message, head, http1App) : settleStream(message, head, http1App, maxHeaders);
  return { refusal, message, head };
}

/** So many fields in all. */
function many(count: number): Fields {
  return Object.fromEntries(Array.from({ length: count - Object.keys(GET).length }, (_, at) => [`x-${at}`, '1']));
}

const OWN_BYTES = Object.entries(GET).join('').length - Object.keys(GET).length;

describe('an HTTP/2 request', () => {
  it.each<[what: string, fields: Fields, refusal: StreamRefusal | undefined]>([
    ['as it should be', {}, undefined],
    ['with 100 fields', many(100), undefined],
    ['with 101 fields', many(101), NGHTTP2_INTERNAL_ERROR],
    ['with 60 KiB of fields', { 'x-a': 'x'.repeat(60 * 1024 - OWN_BYTES - 3) }, undefined],
    ['with a byte more', { 'x-a': 'x'.repeat(60 * 1024 - OWN_BYTES - 2) }, NGHTTP2_INTERNAL_ERROR],
    ['without a method', { ':method': '' }, NGHTTP2_PROTOCOL_ERROR],
    ['of a method with a space', { ':method': 'GET X' }, NGHTTP2_PROTOCOL_ERROR],
    ['of a method with a space before it', { ':method': ' GET' }, NGHTTP2_PROTOCOL_ERROR],
    ['of a method in small letters', { ':method': 'get' }, CODEC_ERROR],
    ['of a method that nobody knows', { ':method': 'BREW-1' }, undefined],
    ['of a scheme that is none', { ':scheme': '1http' }, NGHTTP2_PROTOCOL_ERROR],
    ['of a scheme with a slash', { ':scheme': 'http/' }, NGHTTP2_PROTOCOL_ERROR],
    ['without a scheme', { ':scheme': undefined }, NGHTTP2_PROTOCOL_ERROR],
    ['of another scheme', { ':scheme': 'a+b-c.1' }, undefined],
    ['for the server as a whole', { ':method': 'OPTIONS', ':path': '*' }, ABSOLUTE_PATH_REJECTED],
    ['for * by another method', { ':path': '*' }, NGHTTP2_PROTOCOL_ERROR],
    ['for a path without a slash', { ':path': 'x/' }, NGHTTP2_PROTOCOL_ERROR],
    ['without a path', { ':path': undefined }, NGHTTP2_PROTOCOL_ERROR],
    ['without a host', { ':authority': undefined }, MISSING_HOST],
    ['of an empty host', { ':authority': '' }, NGHTTP2_PROTOCOL_ERROR],
    ['of a host that is none', { ':authority': 'a b' }, INVALID_AUTHORITY],
    ['with a host alone', { ':authority': undefined, host: 'a' }, undefined],
    ['with one authorization', { authorization: 'Bearer a' }, undefined],
    ['with two', { authorization: ['Bearer a', 'Bearer b'] }, REPEATED_AUTHORIZATION],
    ['by QUERY without a type', { ':method': 'QUERY' }, QUERY_WITHOUT_TYPE],
    ['by QUERY', { ':method': 'QUERY', 'content-type': 'text/plain' }, undefined],
    ['by CONNECT', { ':method': 'CONNECT', ':authority': 'a:80', ':path': undefined, ':scheme': undefined }, undefined],
    ['by CONNECT without a port', { ':method': 'CONNECT', ':path': undefined, ':scheme': undefined }, NGHTTP2_PROTOCOL_ERROR],
  ])('%s', (_what, fields, refusal) => {
    expect(settled(fields).refusal).toBe(refusal);
  });

  it('may have as many fields as its connection manager says', () => {
    expect(settled(many(7), { maxHeaders: 7 }).refusal).toBeUndefined();
    expect(settled(many(8), { maxHeaders: 7 }).refusal).toBe(NGHTTP2_INTERNAL_ERROR);
  });

  it('for an app of HTTP/1 is of a method that node:http knows', () => {
    expect(settled({ ':method': 'PROPFIND' }, { http1App: true }).refusal).toBeUndefined();
    expect(settled({ ':method': 'BREW' }, { http1App: true }).refusal).toBe(CODEC_ERROR);
    expect(settled({ ':method': 'BREW' }).refusal).toBeUndefined();
  });

  it.each([
    ['http', 'http'],
    ['HTTPS', 'https'],
    ['ftp', undefined],
  ])('of the scheme %s is given the scheme %s', (scheme, given) => {
    expect(settled({ ':scheme': scheme }).head.givenScheme).toBe(given);
  });

  it('by CONNECT has no path', () => {
    expect(settled({ ':method': 'CONNECT', ':authority': 'a:80', ':path': '/x', ':scheme': 'http' }).message.url).toBe('');
  });
});
