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
  readonly enforcing5xxPercent: number;
  readonly enforcingGatewayPercent: number;
  readonly enforcingLocalOriginPercent: number;
  readonly successRate: {
    readonly enforcingPercent: number;
    readonly minimumHosts: number;
    readonly requestVolume: number;
    readonly stdevFactor: number;
  };
  readonly failurePercentage: {
    readonly enforcingPercent: number;
    readonly threshold: number;
    readonly minimumHosts: number;
    readonly requestVolume: number;
  };
}
