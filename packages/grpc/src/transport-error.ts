/** A TLS connection to an endpoint could not be made. The text is Envoy's form, so that its origin survives grpc-js's status texts. */
export class TransportError extends Error {
  readonly code = 'RIPSTOP_TLS';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TransportError';
  }
}
