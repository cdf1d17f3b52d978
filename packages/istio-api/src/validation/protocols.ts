import type { Path, Report } from '../validate.ts';

/** Protocols of ports, as they are written in any case (Istio: protocol.Parse). */
const PROTOCOLS: ReadonlySet<string> = new Set([
  'tcp',
  'udp',
  'grpc',
  'grpc-web',
  'http',
  'http_proxy',
  'http2',
  'https',
  'tls',
  'mongo',
  'redis',
  'mysql',
]);
const HTTP: ReadonlySet<string> = new Set(['http', 'http2', 'http_proxy', 'grpc', 'grpc-web']);

/** `name`: in lower case. */
export function isProtocol(name: string): boolean {
  return PROTOCOLS.has(name);
}

export function isHttpProtocol(protocol = ''): boolean {
  return HTTP.has(protocol.toLowerCase());
}

export function isTlsProtocol(protocol = ''): boolean {
  return ['https', 'tls'].includes(protocol.toLowerCase());
}

/** None at all is found out by looking at the bytes. */
export function checkProtocol(protocol: string | undefined, path: Path, report: Report): void {
  if ((protocol ?? '') === '' || isProtocol(protocol!.toLowerCase())) return;
  const known = [...PROTOCOLS].map((name) => name.toUpperCase()).join(', ');
  report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(protocol)} is no protocol: give one of ${known}`);
}
