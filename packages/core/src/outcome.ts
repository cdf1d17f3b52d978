/** What one attempt towards one endpoint came to. Feeds load counters and outlier detection. */
export type AttemptOutcome =
  /** The response came to its end; its head was told before, by `Lease.answered`. */
  | { readonly kind: 'complete' }
  | { readonly kind: 'reset'; readonly reason: ResetReason }
  /** The caller went away or hedging dropped the attempt: says nothing about the endpoint. */
  | { readonly kind: 'cancelled' };

/** Why an attempt ended without a complete response (Envoy's stream reset reasons, as far as a client sees them). */
export type ResetReason =
  | 'connect-failure'
  | 'connect-timeout'
  /** TLS failed: handshake, trust or SPIFFE mismatch. Counts as a connect failure. */
  | 'tls-failure'
  /** The connection ended before response headers (UC). */
  | 'connection-termination'
  /** RST_STREAM from the peer (UR). */
  | 'remote-reset'
  /** RST_STREAM with REFUSED_STREAM (UR). */
  | 'refused-stream'
  | 'protocol-error'
  | 'per-try-timeout'
  | 'per-try-idle-timeout'
  | 'global-timeout'
  /** The cluster's max_stream_duration is over. */
  | 'max-stream-duration'
  /** Own circuit breaker (UO); never retried. */
  | 'overflow'
  | 'local-reset';

/** How a whole exchange ended, seen from the app (outbound) or the caller (inbound). */
export interface Outcome {
  /** 0 when no response was sent. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** `Clock.now()` of the end of the stream. */
  readonly endedAt: number;
}
