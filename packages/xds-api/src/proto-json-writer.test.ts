import { describe, expect, it } from 'vitest';
import { CLUSTER_TYPE_URL, Cluster, fromProtoJson, loadProtoJsonWriter } from '../dist/index.mjs';

const cluster = {
  name: 'outbound|9080||reviews.default.svc.cluster.local',
  connect_timeout: '0.500s',
  eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
  lb_policy: 'LEAST_REQUEST',
  common_lb_config: { healthy_panic_threshold: {} },
  transport_socket: {
    name: 'envoy.transport_sockets.tls',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', sni: 'reviews' },
  },
  metadata: { filter_metadata: { istio: { camelCase_and_more: [1, 'two', null] } } },
};

describe('the protobuf JSON writer', () => {
  it('gives back what was read: proto field names, no defaults, keys of maps and structs untouched', async () => {
    const write = await loadProtoJsonWriter();
    const body = Cluster.encode(fromProtoJson(Cluster, cluster)).finish();
    expect(write(CLUSTER_TYPE_URL, body)).toEqual(cluster);
  });

  it('refuses a type that it does not know, by its name', async () => {
    const write = await loadProtoJsonWriter();
    expect(() => write('type.googleapis.com/example.Unknown', new Uint8Array())).toThrow(/example\.Unknown/);
  });
});
