import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';
import grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { joinLines, keepLines, settleLines, takeSeveral } from './stream-lines.ts';

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

  it.each(['content-type', 'te', 'host'])('of %s, which grpc-js reads as one text, stay one', (name) => {
    expect(settled({ [name]: 'a, b' }, [name, 'a', name, 'b'])).toEqual({ [name]: 'a, b' });
  });

  it('of pseudo-headers, of lists, and of what has been taken away stay as they are', () => {
    const lines = [':x', '1', ':x', '2', 'list', '1', 'list', '2', 'gone', '1', 'gone', '2', 'trimmed', ' a'];
    const headers = { ':x': '1', list: ['1', '2'], trimmed: 'a' };
    expect(settled(headers, lines)).toEqual(headers);
  });

  it('may say the name of their header', () => {
    expect(settled({ x: 'x, 1' }, ['x', 'x', 'x', '1']).x).toEqual(['x', '1']);
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

  it('that are bytes are not joined', () => {
    const metadata = new grpc.Metadata();
    for (const value of ['a', 'b']) metadata.add('x-bin', Buffer.from(value));
    joinLines(metadata, 'x-bin');
    expect(metadata.get('x-bin')).toEqual([Buffer.from('a'), Buffer.from('b')]);
  });
});

describe('a session in front of grpc-js', () => {
  function kept() {
    const emitted: unknown[][] = [];
    const session = { emit: (...args: unknown[]): unknown => emitted.push(args) };
    keepLines(session as never);
    const closed: number[] = [];
    const stream = Object.assign(new EventEmitter(), { close: (code: number) => closed.push(code) });
    const open = (headers: IncomingHttpHeaders, lines: readonly string[]): unknown => session.emit('stream', stream, headers, 0, lines);
    return { emitted, session, stream, closed, open };
  }
  const fields = (count: number): string[] => Array.from({ length: count }, (_none, index) => [`x-${index}`, '']).flat();

  it('hands on what it is told, calls with the lines apart', () => {
    const { emitted, session, open, stream } = kept();
    expect([session.emit('goaway', 1), open({ a: '1, 2' }, ['a', '1', 'a', '2'])]).toEqual([1, 2]);
    expect(emitted).toEqual([
      ['goaway', 1],
      ['stream', stream, { a: ['1', '2'], 'x-ripstop-lines': 'a' }, 0, ['a', '1', 'a', '2']],
    ]);
  });

  it.each<[what: string, lines: string[], taken: boolean]>([
    ['a hundred fields', fields(100), true],
    ['one more', fields(101), false],
    ['60 KiB', ['a', 'x'.repeat(60 * 1024 - 1)], true],
    ['a byte more', ['a', 'x'.repeat(60 * 1024)], false],
  ])('takes calls of %s, or ends them: nobody hears of those', (_what, lines, taken) => {
    const { emitted, open, stream, closed } = kept();
    expect(open({}, lines)).toBe(taken ? 1 : true);
    expect([emitted.length, closed]).toEqual(taken ? [1, []] : [0, [2]]);
    if (!taken) expect(() => stream.emit('error', new Error('gone'))).not.toThrow();
  });
});
