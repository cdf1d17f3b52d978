/** A range of statuses or numbers; `end` is not in it. */
export interface StatusRange {
  readonly start: number;
  readonly end: number;
}

/** How a host is asked. */
export type HealthCheckKind =
  | {
      readonly kind: 'http';
      /** '' = the endpoint's own name, without one the cluster's. */
      readonly host: string;
      readonly path: string;
      readonly method: string;
      readonly http2: boolean;
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly expected: readonly StatusRange[];
      /** These count towards the threshold; all other unexpected ones mark the host at once. */
      readonly retriable: readonly StatusRange[];
      /** What the body must contain, in order. */
      readonly receive: readonly Uint8Array[];
    }
  | { readonly kind: 'grpc'; readonly service: string; readonly authority: string }
  | { readonly kind: 'tcp'; readonly send: Uint8Array | undefined; readonly receive: readonly Uint8Array[] };

/** Envoy's HealthCheck, decoded with its defaults. Times in milliseconds. */
export interface HealthCheckSpec {
  readonly check: HealthCheckKind;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** While a host is on its way to healthy. */
  readonly healthyEdgeIntervalMs: number;
  readonly unhealthyIntervalMs: number;
  readonly unhealthyEdgeIntervalMs: number;
  /** While the cluster has never been called. */
  readonly noTrafficIntervalMs: number;
  readonly noTrafficHealthyIntervalMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly reuseConnection: boolean;
  /** Another port than the endpoint's; 0 = the endpoint's. */
  readonly port: number;
}

/** What one check came to. */
export type CheckResult =
  | { readonly kind: 'pass'; readonly degraded: boolean }
  /** `immediate`: the host answered, and badly; the threshold does not count then. */
  | { readonly kind: 'fail'; readonly immediate: boolean };
