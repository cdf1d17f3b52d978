import type { ServicePort } from '@ripstop/istio-api';

/** Application protocols of a service port, in Istio's names. `Auto` means: sniff. */
export type Protocol =
  | 'HTTP'
  | 'HTTP2'
  | 'GRPC'
  | 'GRPCWeb'
  | 'HTTP_PROXY'
  | 'HTTPS'
  | 'TLS'
  | 'TCP'
  | 'Mongo'
  | 'Redis'
  | 'MySQL'
  | 'UDP'
  | 'Auto';

const NAMES: Readonly<Record<string, Protocol>> = {
  http: 'HTTP',
  http2: 'HTTP2',
  grpc: 'GRPC',
  'grpc-web': 'GRPCWeb',
  http_proxy: 'HTTP_PROXY',
  https: 'HTTPS',
  tls: 'TLS',
  tcp: 'TCP',
  mongo: 'Mongo',
  redis: 'Redis',
  mysql: 'MySQL',
  udp: 'UDP',
};

const APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
};

/** Server-first protocols: sniffing would wait forever. */
const WELL_KNOWN_TCP: ReadonlySet<number> = new Set([25, 53, 3306, 27_017]);

/** A protocol by its name; `Auto` for a name that is none (Istio: pkg/config/protocol Parse). */
export function parseProtocol(name: string): Protocol {
  return NAMES[name.toLowerCase()] ?? 'Auto';
}

/** The protocol of a Kubernetes service port: appProtocol, else the name up to its first dash (Istio: kube/conversion.go). */
export function protocolOf(port: ServicePort): Protocol {
  if (port.protocol === 'UDP') return 'UDP';
  if (port.appProtocol !== undefined) {
    const app = APP_PROTOCOLS[port.appProtocol.toLowerCase()] ?? parseProtocol(port.appProtocol);
    if (app !== 'Auto') return app;
  }
  const name = (port.name ?? '').toLowerCase();
  const named = name === 'grpc-web' || name.startsWith('grpc-web-') ? 'GRPCWeb' : parseProtocol(name.split('-', 1)[0]!);
  if (named !== 'Auto') return named;
  return WELL_KNOWN_TCP.has(port.port) ? 'TCP' : 'Auto';
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === 'HTTP' || protocol === 'HTTP_PROXY' || isHttp2(protocol) || protocol === 'GRPCWeb';
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPCWeb';
}

export function isGrpc(protocol: Protocol): boolean {
  return protocol === 'GRPC' || protocol === 'GRPCWeb';
}

export function isTls(protocol: Protocol): boolean {
  return protocol === 'TLS' || protocol === 'HTTPS';
}
