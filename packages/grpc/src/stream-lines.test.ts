import type { IncomingHttpHeaders } from 'node:http2';
import grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { joinLines, settleLines, takeSeveral } from './stream-lines.ts';

/** What node:http2 joined, settled by the lines. */
function settled(joined: IncomingHttpHeaders, lines: readonly string[]): IncomingHttpHeaders {
  const headers = { ...joined };
  settleLines(headers, lines);
  return headers;
}

describe('the lines of a call', () => {
  it('stay as they are when each name has one', () => {
    const headers = { ':authority': 'a', 'x-role': 'a, b', te: 'trailers' };
    expect(settled(headers, Object.entries(headers).flat())).toEqual(headers);
  });

  it('of one name are told apart, those of which node:http2 keeps the first alone as well', () => {
    const lines = ['x-role', 'a', 'x', '1', 'x-role', 'b', 'authorization', 'Basic x', 'authorization', 'Bearer t'];
    expect(settled({ 'x-role': 'a, b', x: '1', authorization: 'Basic x' }, lines)).toEqual({
      'x-role': ['a', 'b'],
      x: '1',
      authorization: ['Basic x', 'Bearer t'],
      'x-ripstop-lines': 'x-role,authorization',
    });
  });

  it.each<[crumbs: readonly string[], joined: string, cookie: string | undefined]>([
    [['a=1', 'b=2'], 'a=1; b=2', 'a=1; b=2'],
    [['', 'a=1', 'b=2'], '; a=1; b=2', 'a=1; b=2'],
    [['', ''], '; ', undefined],
  ])('of a cookie, %j, are one', (crumbs, joined, cookie) => {
    const lines = crumbs.flatMap((crumb) => ['cookie', crumb]);
    expect(settled({ cookie: joined }, lines).cookie).toBe(cookie);
  });

  it('have one authority, and no name that is read as a header of the mesh', () => {
    const lines = [':authority', 'a', 'host', 'b', 'x_envoy_internal', '1', 'my_header', '2'];
    expect(settled({ ':authority': 'a', host: 'b', x_envoy_internal: '1', my_header: '2' }, lines)).toEqual({
      ':authority': 'a',
      my_header: '2',
    });
    expect(settled({ host: 'b' }, ['host', 'b'])).toEqual({ host: 'b' });
  });

  it('are not what a caller says they are', () => {
    expect(settled({ 'x-ripstop-lines': 'x' }, ['x-ripstop-lines', 'x'])).toEqual({});
    expect(settled({ 'x-ripstop-lines': 'x, y' }, ['x-ripstop-lines', 'x', 'x-ripstop-lines', 'y'])).toEqual({});
  });

  it('reach the app as without the mesh, but for what a filter has written', () => {
    const metadata = new grpc.Metadata();
    for (const value of ['a', 'b']) metadata.add('x-role', value);
    metadata.set('x-user', 'anna');
    metadata.set('x-ripstop-lines', 'x-role,x-user');
    const several = takeSeveral(metadata);
    joinLines(metadata, several);
    expect(metadata.getMap()).toEqual({ 'x-role': 'a, b', 'x-user': 'anna' });
    expect(takeSeveral(metadata)).toBeUndefined();
  });
});
