import { parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { envoyFilterFindings } from './envoy-filter-values.ts';

function findings(applyTo: string, value: object): string[] {
  const text = `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: a, namespace: default }
spec: ${JSON.stringify({ configPatches: [{ applyTo, patch: { operation: 'MERGE', value } }] })}
`;
  const { objects } = parseDocuments(text, { file: 'filter.yaml' });
  return envoyFilterFindings(objects).map(({ severity, position, path, message }) => `${severity} ${position.line} ${path}: ${message}`);
}

const VALUE = 'spec.configPatches[0].patch.value';
const LUA = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua';
const MANAGER = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

describe('the value of a patch', () => {
  it.each([
    ['CLUSTER', { connect_timeout: '0.5s', lb_policy: 'RANDOM', circuit_breakers: { thresholds: [{ max_requests: 5 }] } }],
    ['CLUSTER', { connectTimeout: '5s', lbPolicy: 3, typed_extension_protocol_options: {} }],
    ['CLUSTER', { common_lb_config: { healthy_panic_threshold: { value: 7 } }, per_connection_buffer_limit_bytes: 32768 }],
    [
      'CLUSTER',
      {
        type: 'STATIC',
        name: 'x',
        load_assignment: {
          cluster_name: 'x',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '1.1.1.1', port_value: 53 } } } }] }],
        },
      },
    ],
    ['VIRTUAL_HOST', { request_headers_to_add: [{ header: { key: 'a', value: 'b' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }] }],
    [
      'HTTP_ROUTE',
      {
        route: { timeout: '0s', retry_policy: { num_retries: 3 } },
        match: { prefix: '/', headers: [{ name: 'x', string_match: { exact: 'y' } }] },
      },
    ],
    ['HTTP_ROUTE', { redirect: { host_redirect: 'x', https_redirect: true, response_code: 'FOUND' } }],
    [
      'NETWORK_FILTER',
      {
        name: 'm',
        typed_config: {
          '@type': MANAGER,
          stream_idle_timeout: '3s',
          server_name: 'x',
          common_http_protocol_options: { idle_timeout: '3600s' },
        },
      },
    ],
    [
      'HTTP_FILTER',
      { name: 'x', typed_config: { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', type_url: LUA, value: { inline_code: 'y' } } },
    ],
    ['EXTENSION_CONFIG', { name: 'x', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
    ['BOOTSTRAP', { whatever: 1 }],
  ])('of %s is right: %j', (applyTo, value) => {
    expect(findings(applyTo, value)).toEqual([]);
  });

  it.each([
    [
      'CLUSTER',
      { conect_timeout: '5s' },
      `error 4 ${VALUE}.conect_timeout: unknown field "conect_timeout" of envoy.config.cluster.v3.Cluster`,
    ],
    ['CLUSTER', { connect_timeout: 'soon' }, `error 4 ${VALUE}: this is no envoy.config.cluster.v3.Cluster: not a duration: soon`],
    ['CLUSTER', { lb_policy: 'BEST' }, `error 4 ${VALUE}.lb_policy: "BEST" is no value of this field (envoy.config.cluster.v3.Cluster)`],
    [
      'CLUSTER',
      { circuit_breakers: { thresholds: [{ max_request: 5 }] } },
      /error 4 .*thresholds\[0\]\.max_request: unknown field "max_request"/,
    ],
    ['CLUSTER', { circuit_breakers: 'many' }, /error 4 .*circuit_breakers: "many" is no value/],
    ['HTTP_ROUTE', { route: { retry_policy: { num_retries: 'three' } } }, /error 4 .*num_retries: "three" is no value/],
    [
      'NETWORK_FILTER',
      { name: 'm', typed_config: { '@type': MANAGER, sever_name: 'x' } },
      /error 4 .*typed_config\.sever_name: unknown field "sever_name" of .*HttpConnectionManager/,
    ],
    [
      'HTTP_FILTER',
      { name: 'x', typed_config: { '@type': LUA, inline_code: 'y' } },
      /warning 4 .*typed_config\.@type: .*Lua is not known here/,
    ],
  ])('of %s is wrong: %j', (applyTo, value, expected) => {
    expect(findings(applyTo, value)).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)]);
  });
});
