import { Exchange, type LocalReply, localReply, NO_PEER, type RequestHead, type ResponseHead, type Snapshot } from '@ripstop/core';
import { fromProtoJson, LocalReplyConfig } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileLocalReplyConfig } from './local-reply-config.ts';
import { NO_HTTP } from './tcp-proxy.ts';

const clock = { now: () => 1_500, wallTime: () => 1_700_000_000_000, setTimer: () => ({ cancel() {} }) };
const compile = (config: object) => compileLocalReplyConfig(fromProtoJson(LocalReplyConfig, config), clock);
const NOT_FOUND = localReply({ status: 404, details: 'route_not_found', body: 'no such page' });
const FROM_400 = { status_code_filter: { comparison: { op: 'GE', value: { default_value: 400, runtime_key: 'none' } } } };

function rewrite(config: object, reply: LocalReply = NOT_FOUND): { readonly reply: LocalReply; readonly lines: Record<string, string> } {
  const lines: Record<string, string> = {};
  const head: ResponseHead = {
    status: reply.status,
    header: (name) => lines[name],
    firstLine: (name) => lines[name],
    setHeader: (name, value) => {
      lines[name] = value;
    },
    appendHeader: (name, value) => {
      lines[name] = name in lines ? `${lines[name]},${value}` : value;
    },
    removeHeader: (name) => void delete lines[name],
  };
  const request = { method: 'GET', path: '/p', headerLines: () => [], header: () => undefined } as unknown as RequestHead;
  const peer = NO_PEER;
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request,
    snapshot: {} as Snapshot,
    manager: NO_HTTP,
    peer,
    port: 80,
    startedAt: 1_000,
  });
  x.response = head;
  return { reply: compile(config)(x, reply, head), lines };
}

describe('local replies of a connection manager', () => {
  it('stay as they are where nothing matches', () => {
    const mapper = { filter: { response_flag_filter: { flags: ['UH'] } }, status_code: 500 };
    expect(rewrite({ mappers: [mapper] })).toEqual({ reply: NOT_FOUND, lines: { 'content-type': 'text/plain' } });
  });

  it('become what the first mapper that matches says', () => {
    const { reply, lines } = rewrite({
      mappers: [
        {
          filter: FROM_400,
          status_code: 503,
          body: { inline_string: 'soon' },
          headers_to_add: [{ header: { key: 'X-Was', value: '%RESPONSE_CODE%' } }],
        },
        { filter: FROM_400, status_code: 500 },
      ],
      body_format: { text_format: '%LOCAL_REPLY_BODY% %RESPONSE_CODE% %REQ(:METHOD)% %START_TIME(%s)% %DURATION%' },
    });
    expect(reply).toMatchObject({ status: 503, body: 'soon 503 GET 1699999999 500', details: 'route_not_found' });
    expect(lines).toEqual({ 'x-was': '404', 'content-type': 'text/plain' });
  });

  it('are JSON where they are to be, in bytes of a file too', () => {
    const body = { inline_bytes: Buffer.from('soon').toString('base64') };
    const { reply, lines } = rewrite({
      mappers: [
        { filter: FROM_400, body, body_format_override: { json_format: { code: '%RESPONSE_CODE%', message: '%LOCAL_REPLY_BODY%' } } },
      ],
    });
    expect([reply.body, lines['content-type']]).toEqual(['{"code":404,"message":"soon"}\n', 'application/json']);
  });

  it('to preflights are left alone', () => {
    const preflight = localReply({ status: 200, details: 'cors_response' });
    expect(rewrite({ body_format: { text_format: 'x' } }, preflight)).toEqual({ reply: preflight, lines: {} });
  });

  it.each([
    ['a mapper for nothing', { mappers: [{ status_code: 500 }] }, 'local_reply_config.mappers[0] has no filter'],
    ['a status that is none', { mappers: [{ filter: FROM_400, status_code: 600 }] }, 'status_code 600 must be from 200 to 599'],
    ['a file', { mappers: [{ filter: FROM_400, body: { filename: '/f' } }] }, 'mappers[0].body: only inline texts'],
    [
      'bytes that are not known yet',
      { body_format: { text_format: '%BYTES_SENT%' } },
      'body_format: the operator %BYTES_SENT% is not supported',
    ],
    ['an operator that is not known', { body_format: { json_format: { a: '%CEL(x)%' } } }, 'the operator %CEL% is not supported'],
    ['a format that says nothing', { body_format: {} }, 'body_format says nothing'],
    ['a formatter', { body_format: { text_format: 'x', formatters: [{ name: 'f' }] } }, 'body_format.formatters is not supported'],
    [
      'a header that may not be changed',
      { mappers: [{ filter: FROM_400, headers_to_add: [{ header: { key: ':status', value: '1' } }] }] },
      ':status',
    ],
    ['a filter that is not known', { mappers: [{ filter: { traceable_filter: {} } }] }, 'traceableFilter is not supported'],
  ])('with %s are refused by name', (_what, config, why) => {
    expect(() => compile(config)).toThrow(why);
  });
});
