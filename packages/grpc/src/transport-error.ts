import { readFileSync } from 'node:fs';
import { UpstreamTls, type UpstreamTlsInit } from '@ripstop/core';

/** A TLS connection to an endpoint could not be made. The text is Envoy's form, so that its origin survives grpc-js's status texts. */
export class TransportError extends Error {
  readonly code = 'RIPSTOP_TLS';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TransportError';
  }
}

/** What the secure contexts of gRPC connections are made by. */
export function upstreamTls({ identity, clock }: Pick<UpstreamTlsInit, 'identity' | 'clock'>): UpstreamTls {
  return new UpstreamTls({ identity, clock, readFile: readFileSync, failure: (message, cause) => new TransportError(message, cause) });
}
