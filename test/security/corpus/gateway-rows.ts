import type { Expected } from './row.ts';

/* Who a gateway takes for the caller: x-forwarded-for behind no, one and two trusted proxies, with and without the PROXY protocol. */

export const HOPS = [0, 1, 2] as const;
export type Hops = (typeof HOPS)[number];

/** Whom the PROXY protocol in front names; '' = there is none, and the caller is 127.0.0.1. */
export const PROXIED = ['', '8.8.8.8', '7.7.7.7'] as const;
export type Proxied = (typeof PROXIED)[number];

/** The caller of the connection. */
const SELF = 'self';
const TOO_LONG = 431;

/** What a request says of its caller, and who that is by the number of trusted proxies. */
export interface ForwardedRow {
  readonly name: string;
  readonly lines: readonly string[];
  readonly remote: Readonly<Record<Hops, string>> | typeof TOO_LONG;
}

const xff = (...values: readonly string[]): string[] => values.map((value) => `x-forwarded-for: ${value}`);
const row = (name: string, lines: readonly string[], one: string = SELF, two: string = SELF): ForwardedRow => ({
  name,
  lines,
  remote: { 0: SELF, 1: one, 2: two },
});

const MANY = `7.7.7.7,${'1.1.1.1,'.repeat(1_200)}9.9.9.9`;

export const FORWARDED_ROWS: readonly ForwardedRow[] = [
  row('nothing', []),
  row('a forged address', xff('7.7.7.7'), '7.7.7.7'),
  row('a forged address in front of a proxy’s', xff('7.7.7.7, 9.9.9.9'), '9.9.9.9', '7.7.7.7'),
  row('a forged address behind a proxy’s', xff('9.9.9.9,7.7.7.7'), '7.7.7.7', '9.9.9.9'),
  row('a forged address in front of two', xff('7.7.7.7,9.9.9.9,10.0.0.1'), '10.0.0.1', '9.9.9.9'),
  row('two lines', xff('7.7.7.7', '9.9.9.9'), '9.9.9.9', '7.7.7.7'),
  row('two lines, the forged one last', xff('9.9.9.9', '7.7.7.7'), '7.7.7.7', '9.9.9.9'),
  row('two lines of two', xff('7.7.7.7,1.1.1.1', '7.7.7.7,9.9.9.9'), '9.9.9.9', '7.7.7.7'),
  row('nothing in it', xff('')),
  row('an empty line in front', xff('', '7.7.7.7'), '7.7.7.7'),
  row('an empty line behind', xff('7.7.7.7', ''), '7.7.7.7'),
  row('empty lines between', xff('7.7.7.7', '', '', '9.9.9.9'), '9.9.9.9', '7.7.7.7'),
  row('a comma at its end', xff('7.7.7.7,'), SELF, '7.7.7.7'),
  row('a comma at its start', xff(',7.7.7.7'), '7.7.7.7'),
  row('commas', xff(',,')),
  row('a word', xff('unknown')),
  row('a word behind an address', xff('7.7.7.7, unknown'), SELF, '7.7.7.7'),
  row('a port', xff('7.7.7.7:80')),
  row('brackets', xff('[2001:db8::7]')),
  row('quotes', xff('"7.7.7.7"')),
  row('the words of RFC 7239', xff('for=7.7.7.7')),
  row('zeros in front', xff('007.007.007.007')),
  row('one number', xff('117901063')),
  row('three numbers', xff('7.7.7')),
  row('a block', xff('7.7.7.7/32')),
  row('an escape', xff('7.7.7.7%20')),
  row('a space within', xff('7.7.7.7 9.9.9.9')),
  row('spaces and tabs around', xff(' \t 7.7.7.7 \t '), '7.7.7.7'),
  row('a space that is none in ASCII', xff('\xa07.7.7.7')),
  row('an address of IPv6', xff('2001:db8::7'), '2001:db8::7'),
  row('an address of IPv4 in IPv6', xff('::ffff:7.7.7.7'), '::ffff:7.7.7.7'),
  row('the name in capitals', ['X-FORWARDED-FOR: 7.7.7.7'], '7.7.7.7'),
  row('the name with _', ['x_forwarded_for: 7.7.7.7']),
  row('other names', ['forwarded: for=7.7.7.7', 'x-real-ip: 7.7.7.7', 'true-client-ip: 7.7.7.7', 'x-envoy-external-address: 7.7.7.7']),
  row('a line that Connection nominates', ['connection: x-real-ip', ...xff('7.7.7.7')], '7.7.7.7'),
  row('thousands of addresses', xff(MANY), '9.9.9.9', '1.1.1.1'),
  { name: 'more than a head may hold', lines: xff('7.7.7.7,'.repeat(9_000)), remote: TOO_LONG },
];

const BLOCK = '["7.7.7.7/32"]';

/** ALLOW and DENY by path, for addresses of connections (ipBlocks) and of callers (remoteIpBlocks). */
export const GATEWAY_POLICIES: string = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admit, namespace: default }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  rules:
  - { to: [{ operation: { paths: ["/deny/*", /open] } }] }
  - { to: [{ operation: { paths: [/admit/remote] } }], from: [{ source: { remoteIpBlocks: ${BLOCK} } }] }
  - { to: [{ operation: { paths: [/admit/direct] } }], from: [{ source: { ipBlocks: ["127.0.0.1/32"] } }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: default }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules:
  - { to: [{ operation: { paths: [/deny/remote] } }], from: [{ source: { remoteIpBlocks: ${BLOCK} } }] }
  - { to: [{ operation: { paths: [/deny/others] } }], from: [{ source: { notRemoteIpBlocks: ${BLOCK} } }] }
  - { to: [{ operation: { paths: [/deny/direct] } }], from: [{ source: { ipBlocks: ["127.0.0.1/32"] } }] }
  - { to: [{ operation: { paths: [/deny/claimed] } }], from: [{ source: { ipBlocks: ${BLOCK} } }] }
  - { to: [{ operation: { paths: [/deny/loopback] } }], from: [{ source: { remoteIpBlocks: ["127.0.0.0/8"] } }] }
`;

export const GATEWAY_PATHS = [
  '/open',
  '/deny/remote',
  '/deny/others',
  '/deny/direct',
  '/deny/claimed',
  '/deny/loopback',
  '/admit/remote',
  '/admit/direct',
] as const;

/** `strict`: an IPv4 address in IPv6 is the same host where a match denies; Envoy's is not. */
export function expectedAt(
  path: (typeof GATEWAY_PATHS)[number],
  { remote }: ForwardedRow,
  hops: Hops,
  proxied: Proxied,
  strict = true,
): Expected {
  if (remote === TOO_LONG) return TOO_LONG;
  const self = proxied === '' ? '127.0.0.1' : proxied;
  const caller = remote[hops] === SELF ? self : remote[hops];
  const isNamed = caller === '7.7.7.7';
  const denied: Readonly<Record<string, boolean>> = {
    '/deny/remote': isNamed || (strict && caller === '::ffff:7.7.7.7'),
    '/deny/others': !isNamed,
    // The socket's own end, whatever a proxy in front says.
    '/deny/direct': true,
    '/deny/loopback': caller === '127.0.0.1',
    '/admit/remote': !isNamed,
  };
  if (denied[path]) return 'D';
  return path === '/open' && caller !== '127.0.0.1' ? { headers: { 'x-envoy-external-address': caller } } : {};
}
