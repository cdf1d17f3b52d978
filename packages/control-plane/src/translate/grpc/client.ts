import type { ProxyNode } from '../../model/proxy-node.ts';

/** What the gRPC library behind a node takes. */
export interface GrpcClient {
  /** The library says its name, so its limits are known. One that does not (a recording, a test) gets istiod's shapes as they are. */
  readonly known: boolean;
  readonly leastRequest: boolean;
  /** A server on `::` sees callers as `::ffff:10.0.0.1`; false: it finds them in no range (and breaks on IPv6 ranges). */
  readonly mappedAddresses: boolean;
}

/**
 * What every library takes, and what this one takes beside it. Read from their sources and tried: gRPC-Go 1.85.0 (`gRPC Go`),
 * grpc-js-xds 1.14.1 (`gRPC Node Pure JS`). One unsupported field makes a client refuse a resource whole.
 */
export function grpcClientOf({ userAgent }: ProxyNode): GrpcClient {
  switch (userAgent?.name) {
    case undefined:
    case '':
      return { known: false, leastRequest: true, mappedAddresses: true };
    case 'gRPC Go':
      return { known: true, leastRequest: atLeast(userAgent.version, 1, 85), mappedAddresses: true };
    case 'gRPC Node Pure JS':
      return { known: true, leastRequest: false, mappedAddresses: false };
    default:
      return { known: true, leastRequest: false, mappedAddresses: true };
  }
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}
