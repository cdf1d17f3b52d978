import type { Row, Table } from '../row.ts';

const EXPECT = 'Expect: 100-continue';
const NO_EXPECT = {
  because: 'our gateway answers 100 by itself and sends the body at once',
  lines: ['upstream header expect: Envoy "100-continue", SDK none'],
};

/** Requests that are odd on the wire, to a server and to a gateway. What is refused and what goes on is compared. */
const rows: readonly Row[] = [
  raw('an ordinary request', 'GET /a HTTP/1.1\r\nHost: served\r\n\r\n', 200),
  raw('an unknown method', 'FOO / HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('a method in small letters', 'get / HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('a target that is no path', 'GET a HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('a target with a space', 'GET /a b HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('an absolute target', 'GET http://served/a HTTP/1.1\r\nHost: other\r\n\r\n', 200),
  raw('an absolute target of another scheme', 'GET ftp://served/a HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('an absolute target without a path', 'GET http://served HTTP/1.1\r\nHost: served\r\n\r\n', 200),
  raw('OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: served\r\n\r\n', 404),
  raw('GET *', 'GET * HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('CONNECT', 'CONNECT served:80 HTTP/1.1\r\nHost: served\r\n\r\n', 404),
  raw('TRACE', 'TRACE / HTTP/1.1\r\nHost: served\r\n\r\n'),
  raw('no Host', 'GET / HTTP/1.1\r\n\r\n', 400),
  raw('an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n'),
  raw('a Host with a space', 'GET / HTTP/1.1\r\nHost: ser ved\r\n\r\n', 400),
  raw('a Host with a slash', 'GET / HTTP/1.1\r\nHost: ser/ved\r\n\r\n', 400),
  ...['a@served', 'served%00', 'served:', ':80', 'served:x', 'served:99999', 'a,b'].map((host) =>
    stricter(`a Host like ${host}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'apps and policies read such a Host differently'),
  ),
  stricter('two Hosts', 'GET / HTTP/1.1\r\nHost: served\r\nHost: other\r\n\r\n', 'Envoy joins them, node:http takes the first'),
  raw('a Host in brackets', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', 200),
  raw('HTTP/1.0', 'GET / HTTP/1.0\r\nHost: served\r\n\r\n', 426),
  raw('HTTP/1.2', 'GET / HTTP/1.2\r\nHost: served\r\n\r\n', 426),
  raw('a header name with a space', 'GET / HTTP/1.1\r\nHost: served\r\nX A: 1\r\n\r\n', 400),
  raw('a space before the colon', 'GET / HTTP/1.1\r\nHost: served\r\nX-A : 1\r\n\r\n', 400),
  raw('a header line without a colon', 'GET / HTTP/1.1\r\nHost: served\r\nnothing\r\n\r\n', 400),
  raw('an empty header name', 'GET / HTTP/1.1\r\nHost: served\r\n: 1\r\n\r\n', 400),
  raw('a control character in a value', 'GET / HTTP/1.1\r\nHost: served\r\nX-A: a\x01b\r\n\r\n', 400),
  raw('a NUL in a value', 'GET / HTTP/1.1\r\nHost: served\r\nX-A: a\x00b\r\n\r\n', 400),
  raw('a tab in a value', 'GET / HTTP/1.1\r\nHost: served\r\nX-A: a\tb\r\n\r\n', 200),
  raw('a byte above 127 in a value', 'GET / HTTP/1.1\r\nHost: served\r\nX-A: \xe4\r\n\r\n', 200),
  raw('a header name with an underscore', 'GET / HTTP/1.1\r\nHost: served\r\nX_A: 1\r\n\r\n', 200),
  raw('two Content-Lengths', 'POST / HTTP/1.1\r\nHost: served\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx', 400),
  raw('a Content-Length that is no number', 'POST / HTTP/1.1\r\nHost: served\r\nContent-Length: +1\r\n\r\nx', 400),
  raw(
    'Content-Length and chunked',
    'POST / HTTP/1.1\r\nHost: served\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    400,
  ),
  raw('chunked', 'POST / HTTP/1.1\r\nHost: served\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n', 200),
  raw(
    'a transfer coding that nobody knows',
    'POST / HTTP/1.1\r\nHost: served\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    501,
  ),
  raw('an upgrade that nobody knows', 'GET / HTTP/1.1\r\nHost: served\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n', 403),
  {
    ...raw(
      'a WebSocket, and what is sent over it',
      'GET /chat HTTP/1.1\r\nHost: served\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
      101,
    ),
    expect: { status: 101, body: 'hello' },
  },
  raw('headers that Connection names', 'GET / HTTP/1.1\r\nHost: served\r\nConnection: x-secret\r\nX-Secret: 1\r\n\r\n', 200),
  raw('x-forwarded-for named by Connection', 'GET / HTTP/1.1\r\nHost: served\r\nConnection: x-forwarded-for\r\n\r\n', 400),
  raw('Host named by Connection', 'GET / HTTP/1.1\r\nHost: served\r\nConnection: host\r\n\r\n', 400),
  raw(EXPECT, 'POST / HTTP/1.1\r\nHost: served\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx'),
  raw('a fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: served\r\n\r\n', 200),
  raw('a backslash in the target', 'GET /a\\b HTTP/1.1\r\nHost: served\r\n\r\n', 200),
  raw('a byte above 127 in the target', 'GET /\xe4 HTTP/1.1\r\nHost: served\r\n\r\n', 400),
  raw('an escape that is none', 'GET /%zz HTTP/1.1\r\nHost: served\r\n\r\n'),
  raw('a hundred headers', `GET / HTTP/1.1\r\nHost: served\r\n${'a: 1\r\n'.repeat(99)}\r\n`, 200),
  raw('a hundred and one headers', `GET / HTTP/1.1\r\nHost: served\r\n${'a: 1\r\n'.repeat(100)}\r\n`, 431),
  raw('a long header', `GET / HTTP/1.1\r\nHost: served\r\nx: ${'a'.repeat(8000)}\r\n\r\n`, 200),
];

export const serverCodec: Table = { name: 'odd requests to a server', place: 'server', yaml: '', rows };

export const gatewayCodec: Table = {
  name: 'odd requests to a gateway',
  place: 'gateway',
  yaml: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: any, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: any, namespace: default }
spec:
  hosts: ["*"]
  gateways: [any]
  http: [{ route: [{ destination: { host: other } }] }]
`,
  rows: rows.map((row) => (row.name === EXPECT ? { ...row, differs: NO_EXPECT } : row)),
};

function raw(name: string, bytes: string, status?: number): Row {
  return { name, call: { url: 'http://served/', raw: bytes }, expect: { status } };
}

function stricter(name: string, bytes: string, because: string): Row {
  return { ...raw(name, bytes, 200), stricter: { because, status: 400 } };
}
