import { Cluster, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileCluster } from './cluster.ts';

type Json = Readonly<Record<string, unknown>>;
const timing = { timeout: '1s', interval: '5s', unhealthy_threshold: 2, healthy_threshold: 3 };
const compile = (...checks: Json[]) =>
  compileCluster(fromProtoJson(Cluster, { name: 'c', health_checks: checks.map((check) => ({ ...timing, ...check })) }), undefined)
    .healthCheck;

describe('health_checks', () => {
  it('have Envoy’s defaults', () => {
    expect(compile({ http_health_check: { path: '/healthz' } })).toEqual({
      check: {
        kind: 'http',
        host: '',
        path: '/healthz',
        method: 'GET',
        http2: false,
        headers: [['user-agent', 'Envoy/HC']],
        expected: [{ start: 200, end: 201 }],
        retriable: [],
        receive: [],
      },
      timeoutMs: 1000,
      intervalMs: 5000,
      healthyEdgeIntervalMs: 5000,
      unhealthyIntervalMs: 5000,
      unhealthyEdgeIntervalMs: 5000,
      noTrafficIntervalMs: 60_000,
      noTrafficHealthyIntervalMs: 60_000,
      initialJitterMs: 0,
      intervalJitterMs: 0,
      intervalJitterPercent: 0,
      unhealthyThreshold: 2,
      healthyThreshold: 3,
      reuseConnection: true,
      port: 0,
    });
  });

  it.each<[check: Json, kind: Json]>([
    [{ http_health_check: { path: '/', method: 'HEAD', codec_client_type: 'HTTP2' } }, { method: 'HEAD', http2: true }],
    [{ http_health_check: { path: '/', request_headers_to_remove: ['User-Agent'] } }, { headers: [] }],
    [{ http_health_check: { path: '/', receive: [{ text: '6F6b' }] } }, { receive: [Buffer.from('ok')] }],
    [{ grpc_health_check: { service_name: 's', authority: 'a' } }, { kind: 'grpc', service: 's', authority: 'a' }],
    [{ tcp_health_check: {} }, { kind: 'tcp', send: undefined, receive: [] }],
    [{ tcp_health_check: { send: { text: '00ff' } } }, { send: Buffer.from([0, 255]) }],
  ])('%j', (check, kind) => {
    expect(compile(check)?.check).toMatchObject(kind);
  });

  it.each<[why: string, checks: Json[]]>([
    ['2 of them; one at most is supported', [{ tcp_health_check: {} }, { tcp_health_check: {} }]],
    ['a check without a kind', [{}]],
    ['customHealthCheck is not supported', [{ custom_health_check: { name: 'redis' } }]],
    ['unhealthy_threshold must be given', [{ tcp_health_check: {}, unhealthy_threshold: 0 }]],
    ['is no text of hexadecimal digits', [{ tcp_health_check: { send: { text: 'ping' } } }]],
    ['statuses from 200 to below 200', [{ http_health_check: { path: '/', expected_statuses: [{ start: 200, end: 200 }] } }]],
    ['service_name_matcher is not supported', [{ http_health_check: { path: '/', service_name_matcher: { exact: 'a' } } }]],
  ])('are refused: %s', (why, checks) => {
    expect(() => compile(...checks)).toThrow(why);
  });
});
