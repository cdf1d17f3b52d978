import { frame, literal } from './h2-client.ts';
import { type Fields, fields } from './row.ts';

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const WITH_PRIORITY = 32;
const WHOLE = END_STREAM | END_HEADERS;

/** Frames on one connection behind its preface, and what the app may see of them. */
export interface FrameAttack {
  readonly id: string;
  readonly name: string;
  readonly frames: readonly Buffer[];
  /** Paths that the app sees, in this order. */
  readonly seen: readonly string[];
  /** A fault comes behind the head: whether the app saw the stream before depends on how the bytes arrive. */
  readonly maybe?: true;
  /** Of every request that it sees. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Default: it goes on. `either` = nghttp2 of one Node ends it, that of another does not. */
  readonly connection?: 'ends' | 'either';
}

const NEVER_INDEXED = 0x00;
const INDEXED = 0x40;

/** RFC 7541 §6.2: names and values as they are; `kind` says whether the other end is to remember them. */
const block = (list: Fields, kind = NEVER_INDEXED): Buffer =>
  Buffer.concat(list.map(([name, value]) => Buffer.concat([Buffer.from([kind]), literal(name), literal(value)])));
const ask = (path: string, ...more: (readonly [string, string])[]): Buffer => block(fields(path, ...more));
const headers = (id: number, content: Buffer, flags = WHOLE): Buffer => frame(HEADERS, flags, id, content);
const data = (id: number, text: string, flags = END_STREAM): Buffer => frame(DATA, flags, id, Buffer.from(text, 'latin1'));
const POST = [':method', 'POST'] as const;
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), number(value)]);
/** `padding` bytes behind, of which `told` are told of. */
const padded = (content: Buffer, padding: number, told = padding): Buffer =>
  Buffer.concat([Buffer.from([told]), content, Buffer.alloc(padding)]);
/** Everything but `:path`, which is given as HPACK bytes. */
const withPath = (path: Buffer): Buffer => Buffer.concat([block(fields('').slice(0, 3)), path]);
/** `/admin` in Huffman's code, padded with ones. */
const HUFFMAN_ADMIN = Buffer.from([0x04, 0x85, 0b01100000, 0b01110010, 0b01010010, 0b01101010, 0b10111111]);

const attack = (
  id: string,
  name: string,
  frames: readonly Buffer[],
  seen: readonly string[],
  more: Partial<FrameAttack> = {},
): FrameAttack => ({ id, name, frames, seen, ...more });
const ends = { connection: 'ends' } as const;

const COMPRESSION: readonly FrameAttack[] = [
  attack('S53', 'a path in Huffman’s code', [headers(1, withPath(HUFFMAN_ADMIN))], []),
  attack('S53', 'a path of the static table', [headers(1, withPath(Buffer.from([0x85])))], ['/index.html']),
  attack(
    'S53',
    'a denied path that the table remembers',
    [headers(1, withPath(Buffer.concat([Buffer.from([0x44]), literal('/admin')]))), headers(3, withPath(Buffer.from([0xbe])))],
    [],
  ),
  attack(
    'S53',
    'a path that the table remembers, then a denied one',
    [
      headers(1, withPath(Buffer.concat([Buffer.from([0x44]), literal('/public')]))),
      headers(3, withPath(Buffer.from([0xbe]))),
      headers(5, withPath(Buffer.concat([Buffer.from([0x44]), literal('/admin')]))),
      headers(7, withPath(Buffer.from([0xbe]))),
    ],
    ['/public', '/public'],
  ),
  attack('S53', 'an index beyond the table', [headers(1, withPath(Buffer.from([0xfe])))], [], ends),
  attack(
    'S53',
    'a table of more than was allowed',
    [headers(1, Buffer.concat([Buffer.from([0x3f, 0xe1, 0xff, 0x03]), ask('/public')]))],
    [],
    ends,
  ),
  attack(
    'S53',
    'one kibibyte that becomes a megabyte',
    [
      headers(1, Buffer.concat([ask('/public'), block([['x', 'y'.repeat(1_000)]], INDEXED), Buffer.alloc(1_000, 0xbe)])),
      headers(3, ask('/public?3')),
    ],
    ['/public?3'],
    { connection: 'either' },
  ),
];

const ORDER: readonly FrameAttack[] = [
  attack(
    'S50',
    'a denied stream between others',
    ['/public', '/admin', '/public?2'].map((path, at) => headers(2 * at + 1, ask(path))),
    ['/public', '/public?2'],
  ),
  attack('S40', 'a stream of the server’s number', [headers(2, ask('/public'))], [], ends),
  attack('S40', 'a head on stream 0', [headers(0, ask('/public'))], [], ends),
  attack('S40', 'a number behind a higher one', [headers(5, ask('/public')), headers(3, ask('/public?3'))], ['/public'], {
    connection: 'either',
  }),
  attack('S40', 'a second head on a stream that has ended', [headers(1, ask('/public')), headers(1, ask('/public?2'))], ['/public'], {
    connection: 'either',
  }),
  attack(
    'S40',
    'a second head on a stream, not the last',
    [headers(1, ask('/public', POST), END_HEADERS), headers(1, ask('/public?2'), END_HEADERS), data(1, 'a')],
    ['/public'],
    { connection: 'either', maybe: true },
  ),
  attack('S40', 'a body that nobody has announced', [data(1, 'a')], [], ends),
  attack('S40', 'a body on stream 0', [data(0, 'a')], [], ends),
  attack('S40', 'a continuation of nothing', [frame(CONTINUATION, END_HEADERS, 1, ask('/public'))], [], ends),
  attack('S40', 'a body in the middle of a head', [headers(1, ask('/public'), END_STREAM), data(1, 'a')], [], ends),
  attack('S40', 'another head in the middle of a head', [headers(1, ask('/public'), END_STREAM), headers(3, ask('/public?3'))], [], ends),
  attack(
    'S40',
    'a continuation on another stream',
    [headers(1, ask('/public'), END_STREAM), frame(CONTINUATION, END_HEADERS, 3, Buffer.alloc(0))],
    [],
    ends,
  ),
  attack(
    'S40',
    'a path in pieces',
    [
      headers(1, ask('/admin').subarray(0, -3), END_STREAM),
      frame(CONTINUATION, 0, 1, ask('/admin').subarray(-3, -1)),
      frame(CONTINUATION, END_HEADERS, 1, ask('/admin').subarray(-1)),
    ],
    [],
  ),
];

const TRAILERS: readonly FrameAttack[] = [
  attack(
    'S45',
    'trailers with a path',
    [
      headers(1, ask('/public', POST), END_HEADERS),
      data(1, 'a', 0),
      headers(1, block([[':path', '/admin']])),
      headers(3, ask('/public?3')),
    ],
    ['/public', '/public?3'],
    { connection: 'either', maybe: true },
  ),
  attack(
    'S45',
    'trailers that look like headers',
    [
      headers(1, ask('/public', POST), END_HEADERS),
      data(1, 'a', 0),
      headers(
        1,
        block([
          ['x-role', 'admin'],
          ['authorization', 'Bearer x'],
        ]),
      ),
    ],
    ['/public'],
    { headers: { 'x-role': undefined, authorization: undefined } },
  ),
  // nghttp2 resets the stream for a field of the connection or of the message's frame.
  ...['host', 'content-length', 'transfer-encoding', 'connection'].map((name) =>
    attack(
      'S45',
      `trailers with ${name}`,
      [headers(1, ask('/public', POST), END_HEADERS), data(1, 'a', 0), headers(1, block([[name, '7']]))],
      ['/public'],
      {
        headers: { 'content-length': undefined, connection: undefined },
        connection: 'either',
        maybe: true,
      },
    ),
  ),
];

const FRAMES: readonly FrameAttack[] = [
  attack('S40', 'a padded head', [headers(1, padded(ask('/admin'), 100), WHOLE | PADDED)], []),
  attack('S40', 'a head padded to its end', [headers(1, padded(ask('/public'), 0, 255), WHOLE | PADDED)], [], ends),
  attack(
    'S43',
    'padding beside a length',
    [
      headers(1, ask('/public', POST, ['content-length', '2']), END_HEADERS),
      frame(DATA, END_STREAM | PADDED, 1, padded(Buffer.from('aa'), 200)),
    ],
    ['/public'],
  ),
  attack(
    'S40',
    'a body padded to its end',
    [headers(1, ask('/public', POST), END_HEADERS), frame(DATA, END_STREAM | PADDED, 1, padded(Buffer.from('aa'), 0, 255))],
    ['/public'],
    ends,
  ),
  attack(
    'S40',
    'a denied head with a priority',
    [headers(1, Buffer.concat([number(0), Buffer.from([255]), ask('/admin')]), WHOLE | WITH_PRIORITY)],
    [],
  ),
  attack(
    'S40',
    'a stream that depends on itself',
    [headers(1, Buffer.concat([number(1), Buffer.from([255]), ask('/public')]), WHOLE | WITH_PRIORITY)],
    [],
    { connection: 'either' },
  ),
  attack(
    'S60',
    'two thousand priorities',
    [
      ...Array.from({ length: 2_000 }, (_, at) =>
        frame(PRIORITY, 0, 2 * at + 101, Buffer.concat([number(2 * at + 103), Buffer.from([1])])),
      ),
      headers(1, ask('/public')),
    ],
    ['/public'],
    { connection: 'either' },
  ),
  attack('S40', 'a promise by the caller', [frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([number(2), ask('/public')]))], [], ends),
  attack('S60', 'a window of nothing', [frame(WINDOW_UPDATE, 0, 0, number(0)), headers(1, ask('/public'))], [], ends),
  attack('S60', 'a window beyond all bounds', [frame(WINDOW_UPDATE, 0, 0, number(0x7fff_ffff)), headers(1, ask('/public'))], [], ends),
  attack(
    'S60',
    'a setting for windows beyond all bounds',
    [frame(SETTINGS, 0, 0, setting(4, 0xffff_ffff)), headers(1, ask('/public'))],
    [],
    ends,
  ),
  attack('S60', 'a setting cut short', [frame(SETTINGS, 0, 0, Buffer.alloc(5)), headers(1, ask('/public'))], [], ends),
  attack(
    'S40',
    'a setting that asks for extended CONNECT',
    [frame(SETTINGS, 0, 0, setting(8, 1)), headers(1, ask('/admin', [':method', 'CONNECT'], [':protocol', 'websocket']))],
    [],
  ),
  attack(
    'S60',
    'frames of unknown types',
    [frame(0x0a, 0, 0, Buffer.alloc(8)), frame(0xfa, 0xff, 1, Buffer.alloc(8)), headers(1, ask('/public'))],
    ['/public'],
    { connection: 'either' },
  ),
  attack('S60', 'a frame that is too large', [frame(DATA, 0, 1, Buffer.alloc(16_385)), headers(3, ask('/public'))], [], ends),
  attack('S25', 'a request of HTTP/1 behind the preface', [Buffer.from('GET /public HTTP/1.1\r\nHost: a\r\n\r\n')], [], ends),
];

export const FRAME_ATTACKS: readonly FrameAttack[] = [...COMPRESSION, ...ORDER, ...TRAILERS, ...FRAMES];
