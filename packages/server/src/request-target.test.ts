import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { InboundHead } from './inbound-head.ts';
import { settleTarget } from './request-target.ts';

/** A request as node:http hands it over. */
function message(target: string, lines: readonly string[]): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  request.url = target;
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 1;
  request.rawHeaders = [...lines];
  for (let at = 0; at < lines.length; at += 2) request.headers[lines[at]!.toLowerCase()] ??= lines[at + 1]!;
  return request;
}

function verdict(target: string, ...lines: string[]): string {
  const request = message(target, lines);
  const reply = settleTarget(request, new InboundHead(request, 'http'));
  return reply === undefined ? 'passes' : `${reply.status} ${reply.details}`;
}

describe('the head of a request', () => {
  it.each([
    ['a', 'passes'],
    ['a:80', 'passes'],
    ['[::1]:80', 'passes'],
    ['secret.com.', 'passes'],
    ['', 'passes'],
    ['a b', '400 http.invalid_authority'],
    ['a/b', '400 http.invalid_authority'],
    ['user@a', '400 http.invalid_authority'],
    ['a%00', '400 http.invalid_authority'],
    ['a:', '400 http.invalid_authority'],
    [':80', '400 http.invalid_authority'],
    ['a:x', '400 http.invalid_authority'],
    ['a:65536', '400 http.invalid_authority'],
    ['[::1', '400 http.invalid_authority'],
  ])('with Host "%s": %s', (host, expected) => {
    expect(verdict('/', 'Host', host)).toBe(expected);
  });

  it('needs a Host, and only one', () => {
    expect(verdict('/')).toBe('400 missing_host_header');
    expect(verdict('/', 'Host', 'a', 'Host', 'b')).toBe('400 http.invalid_authority');
  });

  it('has at most a hundred headers', () => {
    const headers = Array.from({ length: 99 }, (_, index) => [`x-${index}`, '1']).flat();
    expect(verdict('/', 'Host', 'a', ...headers)).toBe('passes');
    expect(verdict('/', 'Host', 'a', ...headers, 'x', '1')).toBe('431 http1.too_many_headers');
  });

  it.each([
    ['chunked', 'passes'],
    ['Chunked', 'passes'],
    ['gzip, chunked', '501 http1.invalid_transfer_encoding'],
    ['chunked, chunked', '501 http1.invalid_transfer_encoding'],
  ])('with Transfer-Encoding "%s": %s', (coding, expected) => {
    expect(verdict('/', 'Host', 'a', 'Transfer-Encoding', coding)).toBe(expected);
  });
});
