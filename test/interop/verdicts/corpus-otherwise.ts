/** Where a real Envoy does otherwise than a row of the attack corpus says of Ripstop. */
export interface Otherwise {
  readonly id: string;
  /** Rows by the beginning of their names. */
  readonly rows: readonly string[];
  /** What an Envoy does; `answers` = it refuses as well, in other words. */
  readonly envoy: 'serves' | 'refuses' | 'answers';
  readonly form?: 'HTTP/1.1' | 'HTTP/2';
  /** Not in every run: it depends on what comes first. */
  readonly sometimes?: true;
  /** A decision of the security page, or what the host of Ripstop decides. */
  readonly why: 'D1' | 'D2' | 'D8' | 'node:http' | 'nghttp2';
}

const FIRST_NS = 'a second /ns/';

export const OTHERWISE: readonly Otherwise[] = [
  { id: 'S11', rows: ['/x/%2e%2e;/admin'], envoy: 'serves', why: 'D1' },
  { id: 'S123', rows: ['/a^b'], envoy: 'serves', why: 'D1' },
  { id: 'S13', rows: ['GET http://secret.com:80/public', 'http://secret.com:8080/'], envoy: 'serves', why: 'D8' },
  { id: 'S14', rows: [':path without a slash under a scheme'], envoy: 'answers', why: 'nghttp2' },
  { id: 'S19', rows: ['Host secret.com:', 'Host Secret.com.', 'Host secret.com.:80'], envoy: 'serves', why: 'D8' },
  {
    id: 'S20',
    rows: ['Host secret.com:', 'Host a:x', 'Host a:99999', 'Host :80', 'Host secret.com%00', 'Host a,b'],
    envoy: 'serves',
    why: 'D8',
  },
  { id: 'S20', rows: ['Host a@secret.com'], form: 'HTTP/1.1', envoy: 'serves', why: 'D8' },
  { id: 'S21', rows: ['Host a\r\n', 'Host secret.com\r\n'], envoy: 'serves', why: 'D8' },
  { id: 'S25', rows: ['OPTIONS /admin RTSP/1.0', 'SOURCE /admin ICE/1.0', 'GET\t/admin'], envoy: 'answers', why: 'node:http' },
  { id: 'S26', rows: ['one line', '/not-header x-role: good,evil'], envoy: 'serves', why: 'D2' },
  { id: 'S27', rows: ['/header x-role: evil', '/header x-role: internal x-role: evil'], envoy: 'serves', why: 'D2' },
  { id: 'S29', rows: ['two Authorization lines'], envoy: 'serves', why: 'D8' },
  { id: 'S30', rows: ['blanks around a value'], form: 'HTTP/2', envoy: 'serves', why: 'nghttp2' },
  { id: 'S31', rows: ['bare CR in a value'], envoy: 'serves', why: 'D8' },
  { id: 'S31', rows: ['NUL in a value', 'LF in a value'], form: 'HTTP/2', envoy: 'refuses', why: 'nghttp2' },
  {
    id: 'S32',
    rows: ['a folded line', 'bare LF', 'CR alone', 'CR CR LF', 'LF behind', 'a blank behind', 'target "/admin\\t"'],
    envoy: 'answers',
    why: 'D8',
  },
  { id: 'S32', rows: ['LF in front of the last line', 'a line folded with a TAB'], envoy: 'serves', why: 'D8' },
  { id: 'S33', rows: ['x_forwarded_client_cert', 'x_envoy_internal', 'X_Istio_Attributes'], envoy: 'serves', why: 'D8' },
  {
    id: 'S34',
    rows: ['x-envoy-original-host', 'x-envoy-attempt-count', 'x-envoy-fault-', 'x-envoy-peer-metadata'],
    envoy: 'serves',
    why: 'D8',
  },
  { id: 'S36', rows: ['x-istio-attributes'], envoy: 'serves', why: 'D8' },
  { id: 'S38', rows: ['/deny/remote-ip x-forwarded-for: ::ffff:'], envoy: 'serves', why: 'D8' },
  { id: 'S40', rows: ['the name "'], envoy: 'refuses', why: 'nghttp2' },
  // Its head may be with the app before the second length is seen to be wrong.
  { id: 'S43', rows: ['two lengths'], form: 'HTTP/2', envoy: 'serves', sometimes: true, why: 'D8' },
  { id: 'S44', rows: ['Transfer-Encoding:\r\n', 'x: y\n'], envoy: 'serves', why: 'D8' },
  // As well: its head may be with the app before the chunk is read, or be taken back before.
  { id: 'S45', rows: ['a chunk size "1 a"'], envoy: 'serves', sometimes: true, why: 'D8' },
  { id: 'S49', rows: ['CONNECT to a denied host', 'CONNECT without a port'], envoy: 'answers', why: 'D8' },
  // It may reset the connection before the caller has read the answer.
  { id: 'S52', rows: ['a target of 64 KiB', 'a header of 64 KiB'], form: 'HTTP/1.1', envoy: 'answers', why: 'D8' },
  { id: 'S68', rows: [`/account-ns ${FIRST_NS}`], envoy: 'serves', why: 'D8' },
  { id: 'S69', rows: [`/namespace ${FIRST_NS}`], envoy: 'serves', why: 'D8' },
  { id: 'S81', rows: ['/open a NUL'], envoy: 'answers', why: 'D8' },
  {
    id: 'S83',
    rows: ['/open two URI SANs', '/open a query', '/open an escape', '/open an empty segment', '/open more than'],
    envoy: 'serves',
    why: 'D8',
  },
  {
    id: 'S99',
    rows: ['/open authorization: Bearer', '/open HS256', '/open b64 false', '/open an empty crit'],
    envoy: 'serves',
    why: 'D8',
  },
  // It judges the first line alone.
  { id: 'S101', rows: ['/open two lines'], envoy: 'serves', why: 'D8' },
  { id: 'S102', rows: ['/open authorization: Bearer'], envoy: 'serves', why: 'D8' },
];
