import {
  Cluster,
  ClusterHttpProtocolOptions,
  fromProtoJson,
  HealthStatus,
  packAny,
  RoutingPriority,
  UpstreamTlsContext,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileCluster } from './cluster.ts';

function tlsCluster(http: Parameters<typeof ClusterHttpProtocolOptions.fromPartial>[0]): Cluster {
  return Cluster.fromPartial({
    name: 'outbound|443||api.example.com',
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      configType: { $case: 'typedConfig', value: packAny(UpstreamTlsContext, UpstreamTlsContext.fromPartial({})) },
    },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
        ClusterHttpProtocolOptions,
        ClusterHttpProtocolOptions.fromPartial(http),
      ),
    },
  });
}

describe('a cluster with TLS', () => {
  it('takes server name and expected certificate name from the request where Envoy would (auto_sni, auto_san_validation)', () => {
    const { transport } = compileCluster(
      tlsCluster({ upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } }),
      undefined,
    );
    expect(transport).toMatchObject({ kind: 'tls', autoSni: true, autoSanValidation: true });
  });

  it('takes neither without', () => {
    expect(compileCluster(tlsCluster({}), undefined).transport).toMatchObject({ kind: 'tls', autoSni: false, autoSanValidation: false });
  });
});

describe('circuit breakers', () => {
  it('are read by routing priority, the first of each', () => {
    const { DEFAULT, HIGH } = RoutingPriority;
    const thresholds = [
      { priority: HIGH, maxRequests: 7 },
      { priority: DEFAULT, maxRequests: 5 },
      { priority: HIGH, maxRequests: 9 },
    ];
    const compiled = compileCluster(Cluster.fromPartial({ name: 'a', circuitBreakers: { thresholds } }), undefined);
    expect([compiled.thresholds.maxRequests, compiled.highThresholds?.maxRequests]).toEqual([5, 7]);
  });
});

describe('upstream_port_override', () => {
  it('is the port that a passthrough cluster dials', () => {
    const lbConfig = { $case: 'originalDstLbConfig' as const, value: { upstreamPortOverride: 80 } };
    expect(compileCluster(Cluster.fromPartial({ name: 'a', lbConfig }), undefined).dialledPort).toBe(80);
  });
});

describe('override_host_status', () => {
  it('names the health of hosts that session affinity may choose', () => {
    const statuses = [HealthStatus.DRAINING, HealthStatus.HEALTHY];
    const compiled = compileCluster(Cluster.fromPartial({ name: 'a', commonLbConfig: { overrideHostStatus: { statuses } } }), undefined);
    expect([...compiled.overrideHostStatus!]).toEqual(['DRAINING', 'HEALTHY']);
    expect(compileCluster(Cluster.fromPartial({ name: 'a' }), undefined).overrideHostStatus).toBeUndefined();
  });
});

describe('the protocol of a cluster', () => {
  it.each([
    [{}, 'http1'],
    [{ explicit_http_config: { http_protocol_options: {} } }, 'http1'],
    [{ explicit_http_config: { http2_protocol_options: {} } }, 'http2'],
    [{ use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} } }, 'downstream'],
    [{ auto_config: { http2_protocol_options: {} } }, 'auto'],
  ])('%j: %s', (options, protocol) => {
    const http = { '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions', ...options };
    const typed_extension_protocol_options = { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http };
    const { connection } = compileCluster(fromProtoJson(Cluster, { name: 'a', typed_extension_protocol_options }), undefined);
    expect(connection.protocol).toBe(protocol);
  });
});
