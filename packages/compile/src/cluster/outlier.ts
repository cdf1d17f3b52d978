import type { OutlierSpec } from '@ripstop/core';
import type { OutlierDetection } from '@ripstop/xds-api';
import { milliseconds } from '../values.ts';

/** Envoy's OutlierDetection with its defaults. */
export function outlierOf(message: OutlierDetection): OutlierSpec {
  const baseEjectionMs = milliseconds(message.baseEjectionTime, 30_000);
  return {
    consecutive5xx: message.consecutive5xx ?? 5,
    consecutiveGatewayFailure: message.consecutiveGatewayFailure ?? 5,
    consecutiveLocalOriginFailure: message.consecutiveLocalOriginFailure ?? 5,
    splitExternalLocalOrigin: message.splitExternalLocalOriginErrors,
    intervalMs: milliseconds(message.interval, 10_000),
    baseEjectionMs,
    maxEjectionMs: milliseconds(message.maxEjectionTime, Math.max(300_000, baseEjectionMs)),
    maxEjectionJitterMs: milliseconds(message.maxEjectionTimeJitter, 0),
    maxEjectionPercent: message.maxEjectionPercent ?? 10,
    uneject: message.successfulActiveHealthCheckUnejectHost ?? true,
    alwaysEjectOneHost: message.alwaysEjectOneHost ?? false,
    enforcing5xxPercent: message.enforcingConsecutive5xx ?? 100,
    enforcingGatewayPercent: message.enforcingConsecutiveGatewayFailure ?? 0,
    enforcingLocalOriginPercent: message.enforcingConsecutiveLocalOriginFailure ?? 100,
    successRate: {
      enforcingPercent: message.enforcingSuccessRate ?? 100,
      enforcingLocalOriginPercent: message.enforcingLocalOriginSuccessRate ?? 100,
      minimumHosts: message.successRateMinimumHosts ?? 5,
      requestVolume: message.successRateRequestVolume ?? 100,
      stdevFactor: message.successRateStdevFactor ?? 1900,
    },
    failurePercentage: {
      enforcingPercent: message.enforcingFailurePercentage ?? 0,
      enforcingLocalOriginPercent: message.enforcingFailurePercentageLocalOrigin ?? 0,
      threshold: message.failurePercentageThreshold ?? 85,
      minimumHosts: message.failurePercentageMinimumHosts ?? 5,
      requestVolume: message.failurePercentageRequestVolume ?? 50,
    },
  };
}
