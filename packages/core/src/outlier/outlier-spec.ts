/** Envoy's OutlierDetection, decoded with its defaults. Times in milliseconds, percentages 0 to 100; 0 consecutive = off. */
export interface OutlierSpec {
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly consecutiveLocalOriginFailure: number;
  readonly splitExternalLocalOrigin: boolean;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  /** One host may be ejected whatever `maxEjectionPercent` says. */
  readonly alwaysEjectOneHost?: boolean | undefined;
  /** A host whose active health check passes is taken back (default true). */
  readonly uneject?: boolean | undefined;
  /** Up to so much is added to each ejection, by chance. */
  readonly maxEjectionJitterMs?: number | undefined;
  readonly enforcing5xxPercent: number;
  readonly enforcingGatewayPercent: number;
  readonly enforcingLocalOriginPercent: number;
  readonly successRate: {
    readonly enforcingPercent: number;
    /** For local-origin errors, when they are split off. */
    readonly enforcingLocalOriginPercent?: number | undefined;
    readonly minimumHosts: number;
    readonly requestVolume: number;
    readonly stdevFactor: number;
  };
  readonly failurePercentage: {
    readonly enforcingPercent: number;
    readonly enforcingLocalOriginPercent?: number | undefined;
    readonly threshold: number;
    readonly minimumHosts: number;
    readonly requestVolume: number;
  };
}
