import { type Expected, type Fields, fields, get, head, type Row } from './row.ts';

/* Attacks on the reading of a request itself, of HTTP/1 and of HTTP/2, beyond those that the security page writes out. */

const PLAIN = fields('/public');
const line = (id: string, name: string, bytes: string, expected: Expected): Row => ({ id, name, bytes, expected });
const stream = (id: string, name: string, sent: Fields, expected: Expected, body?: string): Row => ({
  id,
  name,
  fields: sent,
  expected,
  ...(body === undefined ? {} : { body }),
});
const post = (id: string, name: string, headers: readonly string[], body: string, expected: Expected): Row => ({
  ...line(id, name, head('POST /public HTTP/1.1', ['Host: a', ...headers], body), expected),
  toItsEnd: true,
});

/** What would be served if the body ended sooner than it does. */
const HIDDEN = get('/public?hidden');
const CHUNKED = ['Transfer-Encoding: chunked'];
const SERVED: Expected = { path: '/public', host: 'a' };

const LENGTHS: readonly Row[] = [
  ...['Chunked', 'CHUNKED', 'chunked \t'].map((coding) =>
    post(
      'S44',
      `Transfer-Encoding: ${coding}`,
      [`Transfer-Encoding: ${coding}`],
      `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`,
      SERVED,
    ),
  ),
  post('S44', 'an empty Transfer-Encoding', ['Transfer-Encoding:'], HIDDEN, 501),
  post('S44', 'two Transfer-Encoding lines', [...CHUNKED, ...CHUNKED], `0\r\n\r\n${HIDDEN}`, 501),
  post('S44', 'Transfer-Encoding: chunked, then identity', [...CHUNKED, 'Transfer-Encoding: identity'], `0\r\n\r\n${HIDDEN}`, 501),
  post('S44', 'a NUL behind chunked', ['Transfer-Encoding: chunked\0'], `0\r\n\r\n${HIDDEN}`, 400),
  post('S44', 'a length behind chunks', [...CHUNKED, `Content-Length: ${HIDDEN.length + 5}`], `0\r\n\r\n${HIDDEN}`, 400),
  post('S43', 'a length of two lines, one of them empty', ['Content-Length: 5', 'Content-Length:'], `aaaaa${HIDDEN}`, 400),
  post('S43', 'a length with a blank in it', ['Content-Length: 1 0'], `a${HIDDEN}`, 400),
  post('S43', 'a length of a fraction', ['Content-Length: 1.0'], `a${HIDDEN}`, 400),
  post('S43', 'a length with an exponent', ['Content-Length: 1e2'], `a${HIDDEN}`, 400),
  post('S43', 'a length with underscores', ['Content-Length: 1_0'], `a${HIDDEN}`, 400),
  {
    ...line(
      'S43',
      'GET with a length',
      `${head('GET /public HTTP/1.1', ['Host: a', `Content-Length: ${HIDDEN.length}`])}${HIDDEN}`,
      SERVED,
    ),
    toItsEnd: true,
  },
];

const chunked = (name: string, body: string, expected: Expected): Row => post('S45', name, CHUNKED, body, expected);

const CHUNKS: readonly Row[] = [
  chunked('a chunk extension', '1;a=b\r\na\r\n0;c="d\\"e"\r\n\r\n', SERVED),
  chunked('a long chunk extension', `1;${'a'.repeat(8_000)}\r\na\r\n0\r\n\r\n`, SERVED),
  chunked('a chunk size with zeros in front', '0001\r\na\r\n000\r\n\r\n', SERVED),
  chunked(
    'trailers that override',
    '1\r\na\r\n0\r\nContent-Length: 0\r\nHost: secret.com\r\nAuthorization: Bearer x\r\nx-role: admin\r\n\r\n',
    {
      path: '/public',
      host: 'a',
      headers: { authorization: undefined, 'x-role': undefined },
    },
  ),
  ...['0x1', '+1', '-1', ' 1', '1 a', 'g', '', '10000000000000000', '1_0'].map((size) =>
    chunked(`a chunk size ${JSON.stringify(size)}`, `${size}\r\na\r\n0\r\n\r\n${HIDDEN}`, 'cut'),
  ),
  chunked('LF behind a chunk size', `1\na\r\n0\r\n\r\n${HIDDEN}`, 'cut'),
  chunked('LF in a chunk extension', `1;a\nb\r\na\r\n0\r\n\r\n${HIDDEN}`, 'cut'),
  chunked('CR alone behind a chunk size', `1\ra\r\n0\r\n\r\n${HIDDEN}`, 'cut'),
  chunked('a chunk without its line end', `1\r\na0\r\n\r\n${HIDDEN}`, 'cut'),
];

const BYTES: readonly Row[] = [
  line('S32', 'CR alone for line ends', 'GET /admin HTTP/1.1\rHost: a\r\r', 400),
  line('S32', 'CR CR LF', 'GET /admin HTTP/1.1\r\r\nHost: a\r\n\r\n', 400),
  line('S32', 'LF behind the request line', 'GET /admin HTTP/1.1\nHost: a\r\n\r\n', 400),
  line('S32', 'LF in front of the last line', 'GET / HTTP/1.1\r\nHost: a\r\nx: y\n\r\n', 400),
  line('S32', 'a folded first line', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400),
  line('S32', 'a line folded with a TAB', get('/', 'x: y\r\n\tx-role: admin'), 400),
  line('S32', 'an empty name', get('/', ': x'), 400),
  line('S32', 'a line without a colon', get('/', 'x-role admin'), 400),
  ...['x-role\t: admin', '(x): 1', 'x"y: 1', 'x/y: 1', 'x@y: 1', 'x\x7f: 1', 'x\x80: 1', '\x0bx-role: admin'].map((text) =>
    line('S32', JSON.stringify(text), get('/', text), 400),
  ),
  line('S32', 'an empty value', get('/', 'x-role:'), { headers: { 'x-role': '' } }),
  line('S32', 'two blanks in the request line', 'GET  /admin HTTP/1.1\r\nHost: a\r\n\r\n', 'D'),
  line('S32', 'two blanks before the version', 'GET /admin  HTTP/1.1\r\nHost: a\r\n\r\n', 'D'),
  line('S32', 'a blank behind the version', 'GET /admin HTTP/1.1 \r\nHost: a\r\n\r\n', 400),
  ...['/ad\x7fmin', '/ad\x80min', '/ad\x0bmin', '/admin\t', '/ad\0min'].map((path) =>
    line('S32', `target ${JSON.stringify(path)}`, get(path), 400),
  ),
  line('S31', 'bytes beyond ASCII in a value', get('/', 'x: \x80\xff'), {}),
  line('S31', 'a TAB in a value', get('/', 'x: a\tb'), {}),
  ...['\x01', '\x0b', '\x1b'].map((byte) => line('S31', `${JSON.stringify(byte)} in a value`, get('/', `x-role: adm${byte}in`), 400)),
];

const NOMINATIONS: readonly Row[] = [
  line('S124', 'Connection: x-role', get('/', 'Connection: x-role', 'x-role: admin'), { headers: { 'x-role': undefined } }),
  line('S124', 'Connection: close, X-Role', get('/', 'Connection: close, X-Role', 'x-role: admin'), { headers: { 'x-role': undefined } }),
  line('S124', 'Connection in two lines', get('/', 'Connection: close', 'Connection: x-role', 'x-role: admin'), {
    headers: { 'x-role': undefined },
  }),
  line('S124', 'Connection: cookie', get('/', 'Connection: cookie', 'cookie: a=1; role=admin'), { headers: { cookie: undefined } }),
  line('S124', 'Connection: authorization', get('/', 'Connection: authorization', 'authorization: Bearer x'), {
    headers: { authorization: undefined },
  }),
  line('S124', 'Connection: host', get('/', 'Connection: host'), 400),
  ...['x-forwarded-for', 'x-forwarded-proto', 'X-Forwarded-For', ':path', ':authority', 'close, x-forwarded-for'].map((name) =>
    line('S124', `Connection: ${name}`, get('/', `Connection: ${name}`), 400),
  ),
  post('S124', 'Connection: transfer-encoding', [...CHUNKED, 'Connection: transfer-encoding'], `1\r\na\r\n0\r\n\r\n`, SERVED),
  post('S124', 'Connection: content-length', [`Content-Length: ${HIDDEN.length}`, 'Connection: content-length'], HIDDEN, SERVED),
];

const TARGETS: readonly Row[] = [
  ...[
    'http://evil\\admin',
    'http://evil:99999/admin',
    'http://evil:x/admin',
    'http://[::1%25eth0]/admin',
    'http://a b/admin',
    'http://ev%69l/admin',
    'http://evil#/admin',
  ].map((path) => line('S13', path, get(path), 400)),
  ...['http://a:80@evil/admin', 'http://EVIL/%61dmin?x#y', 'http://secret.com:8080/', 'HTTPS://secret.com'].map((path) =>
    line('S13', path, get(path), 'D'),
  ),
  line('S13', 'OPTIONS *', head('OPTIONS * HTTP/1.1'), 404),
  line('S13', 'POST *', head('POST * HTTP/1.1', ['Host: a', 'Content-Length: 0']), 400),
  line('S49', 'CONNECT with an absolute target', head('CONNECT http://evil:443/ HTTP/1.1'), 400),
  line('S49', 'CONNECT without a port', head('CONNECT evil HTTP/1.1'), 400),
  line('S48', 'an upgrade in another spelling', get('/x/..;/admin', 'Connection: UPGRADE', 'Upgrade: WebSocket'), 'D'),
  line(
    'S48',
    'an upgrade with a body',
    head('POST /admin HTTP/1.1', ['Host: a', 'Connection: upgrade', 'Upgrade: websocket', 'Content-Length: 4'], 'aaaa'),
    'D',
  ),
  line('S48', 'an upgrade that Connection hides', get('/admin', 'Connection: x-role, upgrade', 'Upgrade: websocket'), 'D'),
  line('S48', 'an upgrade without Connection', get('/admin', 'Upgrade: websocket'), 'D'),
  line(
    'S49',
    'Expect twice',
    head('POST /admin HTTP/1.1', ['Host: a', 'Expect: 100-continue', 'Expect: 100-continue', 'Content-Length: 4']),
    'D',
  ),
];

const without = (name: string): Fields => PLAIN.filter(([field]) => field !== name);

const PSEUDO: readonly Row[] = [
  ...[':method', ':scheme', ':path'].map((name) => stream('S40', `no ${name}`, without(name), 'reset')),
  ...[':method', ':scheme', ':authority', ':path'].map((name) =>
    stream('S40', `${name} twice`, [...PLAIN, [name, PLAIN.find(([field]) => field === name)![1]]], 'reset'),
  ),
  ...[':status', ':Path', ':', ':path '].map((name) =>
    stream('S40', `the pseudo header ${JSON.stringify(name)}`, [...PLAIN, [name, '200']], 'reset'),
  ),
  stream('S22', 'host without :authority', [...without(':authority'), ['host', 'secret.com']], 'D'),
  stream('S22', 'host twice without :authority', [...without(':authority'), ['host', 'a'], ['host', 'secret.com']], 'reset'),
  stream('S22', 'host twice beside :authority', [...PLAIN, ['host', 'secret.com'], ['host', 'secret.com']], 'reset'),
  stream('S22', 'an empty :authority beside host', fields('/public', [':authority', ''], ['host', 'secret.com']), 'reset'),
  stream('S22', 'an empty host beside :authority', fields('/public', ['host', '']), 'reset'),
  stream('S39', ':scheme http over whatever it is', fields('/public', [':scheme', 'http']), SERVED),
  stream('S39', ':scheme https over whatever it is', fields('/public', [':scheme', 'https']), SERVED),
  ...['/admin#x', '/x/../admin', '/admin?x#y', '/%61dmin', '/x\\..\\admin'].map((path) =>
    stream('S40', `:path ${path}`, fields(path), 'D'),
  ),
  ...['//', '*', '?/admin', '#/admin', 'https://a/admin', '/ad\tmin', '/ad\rmin', '/ad\nmin', '/admin\0', ' /admin', '/admin '].map(
    (path) => stream('S40', `:path ${JSON.stringify(path)}`, fields(path), path === '//' ? {} : 'reset'),
  ),
  stream('S40', 'OPTIONS *', fields('*', [':method', 'OPTIONS']), 404),
  stream(
    'S40',
    'extended CONNECT',
    fields('/admin', [':method', 'CONNECT'], [':protocol', 'websocket'], ['sec-websocket-version', '13']),
    'reset',
  ),
  stream(
    'S40',
    'extended CONNECT to an authority with a port',
    fields('/admin', [':method', 'CONNECT'], [':authority', 'a:80'], [':protocol', 'websocket']),
    'reset',
  ),
  stream('S40', ':protocol of GET', fields('/admin', [':protocol', 'websocket']), 'reset'),
  stream('S49', 'CONNECT with a path', fields('/admin', [':method', 'CONNECT'], [':authority', 'evil:443']), 'reset'),
];

const FIELDS: readonly Row[] = [
  // nghttp2 drops such a field; neither policy nor app sees it.
  ...['x role', 'x-role\t', 'x-role ', 'x:role', '', 'x\x7f', 'x\xe9', 'x\0', 'x"y', 'x@y'].map((name) =>
    stream('S40', `the name ${JSON.stringify(name)}`, fields('/', [name, 'admin']), {
      headers: { [name]: undefined, 'x-role': undefined },
    }),
  ),
  ...['keep-alive', 'Connection', 'http2-settings'].map((name) =>
    stream('S40', name, fields('/', [name, 'x']), name === 'http2-settings' ? {} : 'reset'),
  ),
  ...['trailers, deflate', 'chunked', ''].map((value) => stream('S40', `te: ${value}`, fields('/', ['te', value]), 'reset')),
  stream('S40', 'te: Trailers', fields('/', ['te', 'Trailers']), {}),
  stream('S43', 'a length with a zero in front', fields('/public', [':method', 'POST'], ['content-length', '02']), SERVED, 'aa'),
  ...['+2', '2 ', '2, 2', '-1', '', '0x2', '2.0', '18446744073709551618'].map((length) =>
    stream(
      'S43',
      `content-length ${JSON.stringify(length)}`,
      fields('/public', [':method', 'POST'], ['content-length', length]),
      'reset',
      'aa',
    ),
  ),
  stream('S43', 'a length and no body', fields('/public', [':method', 'POST'], ['content-length', '9']), 'reset'),
  stream('S43', 'a length of nothing and a body', fields('/public', [':method', 'POST'], ['content-length', '0']), 'broken', 'aa'),
  stream('S43', 'a length that is the body', fields('/public', [':method', 'POST'], ['content-length', '2']), SERVED, 'aa'),
  stream('S53', 'cookie crumbs with blanks', fields('/', ['cookie', 'a=1; role=admin']), 'D'),
  stream('S53', 'cookie crumbs, the first of them empty', fields('/', ['cookie', ''], ['cookie', 'a=1'], ['cookie', 'role=admin']), 'D'),
  stream(
    'S53',
    'a hundred cookie crumbs',
    fields('/', ...Array.from({ length: 96 }, (_, index) => ['cookie', `c${index}=1`] as const)),
    {},
  ),
  stream(
    'S53',
    'more than a hundred cookie crumbs',
    fields('/', ...Array.from({ length: 97 }, (_, index) => ['cookie', `c${index}=1`] as const)),
    'reset',
  ),
  stream('S48', 'the upgrade of HTTP/1', fields('/admin', ['upgrade', 'websocket']), 'reset'),
];

export const PROTOCOL_ROWS: readonly Row[] = [...LENGTHS, ...CHUNKS, ...BYTES, ...NOMINATIONS, ...TARGETS, ...PSEUDO, ...FIELDS];
