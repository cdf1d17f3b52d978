import { createTcpExchange, type Exchange, NO_PEER, type Outcome, ResponseFlag, type Snapshot } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { ConnectionMetrics } from './connection-metrics.ts';
import { renderPrometheus } from './prometheus.ts';

const NODE = {
  workload: 'ingress',
  namespace: 'default',
  principal: '',
  app: 'ingress',
  version: '',
  canonicalService: 'ingress',
  canonicalRevision: '',
  cluster: 'Kubernetes',
  meshId: '',
};

function connection(metrics: Exchange['manager']['metrics'] = []): Exchange {
  const manager = { metrics } as unknown as Exchange['manager'];
  const x = createTcpExchange({ proxy: { manager }, snapshot: {} as Snapshot, peer: NO_PEER, port: 9000, startedAt: 0 });
  x.cluster = {
    name: 'outbound|7000||db',
    services: [{ host: 'db.default.svc', name: 'db', namespace: 'default' }],
  } as unknown as Exchange['cluster'];
  return x;
}

function outcome(requestBytes: number, responseBytes: number): Outcome {
  return { status: 0, grpcStatus: undefined, requestBytes, responseBytes, endedAt: 1 };
}

/** Name, flags and value of each series. */
function series(metrics: ConnectionMetrics): string[] {
  return renderPrometheus([], metrics.cells(), [])
    .split('\n')
    .filter((line) => line.startsWith('istio_tcp_'))
    .map((line) => line.replace(/\{.*response_flags="([^"]*)".*\}/, ' $1').replace(/\{.*\}/, ' none'));
}

describe('metrics of connections', () => {
  it('count bytes of open ones when somebody looks, each once', () => {
    const metrics = new ConnectionMetrics(NODE);
    const x = connection();
    let now = outcome(0, 0);
    metrics.open(x, () => now);
    now = outcome(3, 10);
    expect(series(metrics)).toEqual([
      'istio_tcp_connections_opened_total - 1',
      'istio_tcp_sent_bytes_total - 10',
      'istio_tcp_received_bytes_total - 3',
    ]);
    metrics.close(x, outcome(5, 11));
    expect(series(metrics)).toEqual([
      'istio_tcp_connections_opened_total - 1',
      'istio_tcp_connections_closed_total - 1',
      'istio_tcp_sent_bytes_total - 11',
      'istio_tcp_received_bytes_total - 5',
    ]);
  });

  it('count one that reached nobody as opened and closed, with its flags', () => {
    const metrics = new ConnectionMetrics(NODE);
    const x = connection();
    x.flags = ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
    metrics.close(x, outcome(0, 0));
    expect(series(metrics)).toEqual(['istio_tcp_connections_opened_total UF,URX 1', 'istio_tcp_connections_closed_total UF,URX 1']);
  });

  it('have Istio’s labels: no response code, protocol tcp, the service', () => {
    const metrics = new ConnectionMetrics(NODE);
    metrics.close(connection(), outcome(0, 0));
    const text = renderPrometheus([], metrics.cells(), []);
    expect(text).toContain('destination_service="db.default.svc",destination_service_name="db"');
    expect(text).toContain('request_protocol="tcp",response_flags="-"');
    expect(text).not.toContain('response_code');
  });

  it('follow Telemetry: dropped, and without a tag', () => {
    const metrics = new ConnectionMetrics(NODE);
    const drop = { metric: 'tcp_connections_opened_total', drop: true, removed: [], tags: new Map() };
    const bare = { metric: 'tcp_connections_closed_total', drop: false, removed: ['response_flags'], tags: new Map() };
    metrics.close(connection([drop, bare]), outcome(0, 0));
    expect(series(metrics)).toEqual(['istio_tcp_connections_closed_total none 1']);
  });
});
