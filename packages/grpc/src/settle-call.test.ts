import grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { CallHead } from './call-head.ts';
import { settleCall } from './settle-call.ts';

function head(authority: string, lines: readonly (readonly [string, string])[] = []): CallHead {
  const metadata = new grpc.Metadata();
  for (const [name, value] of lines) metadata.add(name, value);
  return new CallHead('http', authority, '/a.B/C', metadata);
}

describe('a call that a server gets', () => {
  it.each(['', 'a,b', 'u@a', 'a:x', 'a:99999', ':80', 'a%00'])('of authority %j is refused', (authority) => {
    expect(settleCall(head(authority), undefined)?.details).toBe('http.invalid_authority');
  });

  it('has one authorization', () => {
    const one = ['authorization', 'Bearer t'] as const;
    expect(settleCall(head('a', [one]), undefined)).toBeUndefined();
    expect(settleCall(head('a', [one, one]), undefined)).toMatchObject({ status: 400, details: 'ripstop_repeated_authorization' });
  });

  it.each<[action: 'DROP_HEADER' | 'REJECT_REQUEST' | undefined, refused: string | undefined, left: object]>([
    [undefined, undefined, { my_header: '1', 'x-y': '2' }],
    ['DROP_HEADER', undefined, { 'x-y': '2' }],
    ['REJECT_REQUEST', 'http2.unexpected_underscore', { 'x-y': '2' }],
  ])('with names that hold an underscore, where the connection manager says %s', (action, refused, left) => {
    const call = head('a', [
      ['my_header', '1'],
      ['x-y', '2'],
    ]);
    expect(settleCall(call, action)?.details).toBe(refused);
    expect(call.metadata.getMap()).toEqual(left);
    expect(settleCall(head('a'), action)).toBeUndefined();
  });
});
