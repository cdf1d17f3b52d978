import { frame, literal } from './h2-client.ts';
import { type Fields, fields } from './row.ts';

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const PING = 6;
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
const headers = (id: number, content: Buffer, flags = WHOLE): Buffer => frame(HEADERS, flags, id, content);
const data = (id: number, text: string, flags = END_STREAM): Buffer => frame(DATA, flags, id, Buffer.from(text, 'latin1'));
const POST = [':method', 'POST'] as const;
/** That make a call of gRPC of a request. */
export const CALL: Fields = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), number(value)]);
/** `padding` bytes behind, of which `told` are told of. */
const padded = (content: Buffer, padding: number, told = padding): Buffer =>
  Buffer.concat([Buffer.from([told]), content, Buffer.alloc(padding)]);
/** `/admin` in Huffman's code, padded with ones. */
const HUFFMAN_ADMIN = Buffer.from([0x04, 0x85, 0b01100000, 0b01110010, 0b01010010, 0b01101010, 0b10111111]);

/** How a request is said that its server takes for one. */
interface Heads {
  ask(path: string, ...more: (readonly [string, string])[]): Buffer;
  /** `:path` is given as HPACK bytes. */
  withPath(path: Buffer): Buffer;
}

const OF_REQUESTS: Heads = {
  ask: (path, ...more) => block(fields(path, ...more)),
  withPath: (path) => Buffer.concat([block(fields('').slice(0, 3)), path]),
};
const OF_CALLS: Heads = {
  ask: (path, ...more) => block([...fields(path, POST, ...more), ...CALL]),
  withPath: (path) => Buffer.concat([block(fields('', POST).slice(0, 3)), path, block(CALL)]),
};

const attack = (
  id: string,
  name: string,
  frames: readonly Buffer[],
  seen: readonly string[],
  more: Partial<FrameAttack> = {},
): FrameAttack => ({ id, name, frames, seen, ...more });
const ends = { connection: 'ends' } as const;

const compressionOf = ({ ask, withPath }: Heads): readonly FrameAttack[] => [
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

const orderOf = ({ ask }: Heads): readonly FrameAttack[] => [
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

const trailersOf = ({ ask }: Heads): readonly FrameAttack[] => [
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

const framesOf = ({ ask }: Heads): readonly FrameAttack[] => [
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

/** Heads that are none, whatever nghttp2 does about them: the stream is reset, or the connection ends. */
const headsOf = ({ ask, withPath }: Heads): readonly FrameAttack[] => {
  const path = (text: string): Buffer => Buffer.concat([Buffer.from([0x04]), literal(text)]);
  const bad = (id: string, name: string, head: Buffer): FrameAttack =>
    attack(id, name, [headers(1, head), headers(3, ask('/public?3'))], ['/public?3'], { connection: 'either' });
  return [
    bad('S40', 'a head without a path', withPath(Buffer.alloc(0))),
    bad('S40', 'two paths, the first allowed', Buffer.concat([ask('/public'), path('/admin')])),
    bad('S40', 'two paths, the first denied', withPath(Buffer.concat([path('/admin'), path('/public')]))),
    bad('S40', 'two paths that are the same', withPath(Buffer.concat([path('/public'), path('/public')]))),
    ...[':method', ':scheme', ':authority'].map((name) =>
      bad('S40', `two of ${name}`, withPath(Buffer.concat([block([[name, 'GET']]), path('/public')]))),
    ),
    bad('S40', 'a pseudo header behind others', Buffer.concat([ask('/public'), block([[':authority', 'b']])])),
    bad('S40', 'the path behind others', Buffer.concat([withPath(block([['x', 'y']])), path('/public')])),
    ...[':status', ':protocol', ':unknown', ':'].map((name) =>
      bad('S40', `the pseudo header ${name}`, withPath(Buffer.concat([path('/public'), block([[name, '200']])]))),
    ),
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'].map((name) =>
      bad('S40', `${name}, which belongs to a connection`, ask('/admin', [name, 'x-role'])),
    ),
    ...['X-Role', 'Te', ':Path'].map((name) =>
      bad('S40', `the name ${name} with capitals`, Buffer.concat([ask('/admin'), block([[name, 'a']])])),
    ),
    ...['a\0b', 'a\rb', 'a\nb', 'a\r\n\r\nGET /admin HTTP/1.1'].map((value) =>
      bad('S40', `${JSON.stringify(value)} in a path`, withPath(path(`/admin?${value}`))),
    ),
  ];
};

const FLOOD = 200;

/** More than anybody says, in one go: what is served afterwards is served rightly. */
const floodsOf = ({ ask }: Heads): readonly FrameAttack[] => {
  const many = (one: Buffer, count = FLOOD): Buffer[] => Array.from({ length: count }, () => one);
  const flood = (name: string, frames: readonly Buffer[]): FrameAttack =>
    attack('S60', name, [...frames, headers(2_001, ask('/admin')), headers(2_003, ask('/public'))], ['/public'], { connection: 'either' });
  return [
    flood('many settings', many(frame(SETTINGS, 0, 0, setting(3, 100)))),
    flood('many settings in one frame', [frame(SETTINGS, 0, 0, Buffer.concat(many(setting(0xf0, 1), 2_000)))]),
    flood('many answers to settings', many(frame(SETTINGS, 1, 0, Buffer.alloc(0)))),
    flood('many windows', many(frame(WINDOW_UPDATE, 0, 0, number(1)))),
    flood('many answers to nothing', many(frame(PING, 1, 0, Buffer.alloc(8)))),
    flood('many resets of nothing', [headers(1, ask('/admin')), ...many(frame(RST_STREAM, 0, 1, number(8)))]),
    flood('many empty continuations', [
      headers(1, ask('/admin'), END_STREAM),
      ...many(frame(CONTINUATION, 0, 1, Buffer.alloc(0))),
      frame(CONTINUATION, END_HEADERS, 1, Buffer.alloc(0)),
    ]),
    flood('continuations without end', [
      headers(1, ask('/admin'), END_STREAM),
      ...many(frame(CONTINUATION, 0, 1, block([['x', 'y'.repeat(1_000)]]))),
      frame(CONTINUATION, END_HEADERS, 1, Buffer.alloc(0)),
    ]),
    flood('many fields', [headers(1, Buffer.concat([ask('/admin'), block(Array.from({ length: 400 }, (_, at) => [`x-${at}`, 'y']))]))]),
    flood(
      'streams that are taken back',
      Array.from({ length: 20 }, (_, at) => [
        headers(2 * at + 1_001, ask('/admin')),
        frame(RST_STREAM, 0, 2 * at + 1_001, number(8)),
      ]).flat(),
    ),
  ];
};

const all = (heads: Heads): readonly FrameAttack[] =>
  [compressionOf, orderOf, trailersOf, framesOf, headsOf, floodsOf].flatMap((group) => group(heads));

/** On servers of HTTP/2. */
export const FRAME_ATTACKS: readonly FrameAttack[] = all(OF_REQUESTS);
/** The same on servers of gRPC. */
export const CALL_FRAME_ATTACKS: readonly FrameAttack[] = all(OF_CALLS);
