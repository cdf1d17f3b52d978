import type { HealthCheckKind, HealthCheckSpec, StatusRange } from '@ripstop/core';
import { CodecClientType, type HealthCheck, type HealthCheck_Payload, RequestMethod } from '@ripstop/xds-api';
import { milliseconds } from '../values.ts';

const OK: StatusRange = { start: 200, end: 201 };

/** Envoy's active health check of a cluster; it takes one at most. Throws, naming the field, on what cannot be honoured. */
export function healthCheckOf(messages: readonly HealthCheck[]): HealthCheckSpec | undefined {
  const [message] = messages;
  if (message === undefined) return undefined;
  if (messages.length > 1) throw new Error(`health_checks: ${messages.length} of them; one at most is supported`);
  const { transportSocketMatchCriteria: criteria } = message;
  if (criteria !== undefined && Object.keys(criteria).length > 0)
    throw new Error('health_checks: transport_socket_match_criteria is not supported');
  const intervalMs = required('interval', milliseconds(message.interval, 0));
  const unhealthyIntervalMs = milliseconds(message.unhealthyInterval, intervalMs);
  const noTrafficIntervalMs = milliseconds(message.noTrafficInterval, 60_000);
  return {
    check: kindOf(message),
    timeoutMs: required('timeout', milliseconds(message.timeout, 0)),
    intervalMs,
    healthyEdgeIntervalMs: milliseconds(message.healthyEdgeInterval, intervalMs),
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs: milliseconds(message.unhealthyEdgeInterval, unhealthyIntervalMs),
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs: milliseconds(message.noTrafficHealthyInterval, noTrafficIntervalMs),
    initialJitterMs: milliseconds(message.initialJitter, 0),
    intervalJitterMs: milliseconds(message.intervalJitter, 0),
    intervalJitterPercent: message.intervalJitterPercent,
    unhealthyThreshold: required('unhealthy_threshold', message.unhealthyThreshold ?? 0),
    healthyThreshold: required('healthy_threshold', message.healthyThreshold ?? 0),
    reuseConnection: message.reuseConnection ?? true,
    port: message.altPort ?? 0,
  };
}

function required(field: string, value: number): number {
  if (value <= 0) throw new Error(`health_checks: ${field} must be given, and above 0`);
  return value;
}

function kindOf({ healthChecker }: HealthCheck): HealthCheckKind {
  switch (healthChecker?.$case) {
    case 'httpHealthCheck': {
      const http = healthChecker.value;
      if (http.send !== undefined) throw new Error('health_checks: http_health_check.send is not supported, in Envoy neither');
      if (http.serviceNameMatcher !== undefined) throw new Error('health_checks: service_name_matcher is not supported');
      const removed = new Set(http.requestHeadersToRemove.map((name) => name.toLowerCase()));
      return {
        kind: 'http',
        host: http.host,
        path: http.path,
        method: http.method === RequestMethod.METHOD_UNSPECIFIED ? 'GET' : methodName(http.method),
        http2: http.codecClientType === CodecClientType.HTTP2,
        headers: [
          ['user-agent', 'Envoy/HC'] as const,
          ...http.requestHeadersToAdd.map(({ header }) => [header?.key.toLowerCase() ?? '', header?.value ?? ''] as const),
        ].filter(([name]) => !removed.has(name)),
        expected: http.expectedStatuses.length === 0 ? [OK] : http.expectedStatuses.map(range),
        retriable: http.retriableStatuses.map(range),
        receive: http.receive.map(bytesOf),
      };
    }
    case 'grpcHealthCheck':
      return { kind: 'grpc', service: healthChecker.value.serviceName, authority: healthChecker.value.authority };
    case 'tcpHealthCheck': {
      const { send, receive } = healthChecker.value;
      return { kind: 'tcp', send: send === undefined ? undefined : bytesOf(send), receive: receive.map(bytesOf) };
    }
    default:
      throw new Error(`health_checks: ${healthChecker?.$case ?? 'a check without a kind'} is not supported`);
  }
}

function methodName(method: RequestMethod): string {
  const name = Object.entries(RequestMethod).find(([, value]) => value === method)?.[0] ?? 'GET';
  if (name === 'CONNECT') throw new Error('health_checks: the method must not be CONNECT');
  return name;
}

function range({ start, end }: StatusRange): StatusRange {
  if (!(start >= 100 && start < end && end <= 600))
    throw new Error(`health_checks: statuses from ${start} to below ${end}; they must lie between 100 and 600`);
  return { start, end };
}

/** Text is in hexadecimal. */
function bytesOf({ payload }: HealthCheck_Payload): Uint8Array {
  if (payload?.$case === 'binary') return payload.value;
  const text = payload?.value ?? '';
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) throw new Error(`health_checks: the payload "${text}" is no text of hexadecimal digits`);
  return Buffer.from(text, 'hex');
}
