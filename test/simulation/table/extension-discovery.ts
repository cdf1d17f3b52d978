import type { Table } from '../row.ts';

const TYPE = 'type.googleapis.com/';
const MUTATION = 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation';
const FAULT = 'envoy.extensions.filters.http.fault.v3.HTTPFault';

/** A filter that adds a header, which shows that it ran and with what. */
export const adds = (key: string, value: string): object => ({
  '@type': TYPE + MUTATION,
  mutations: {
    request_mutations: [{ append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } }],
  },
});

export const aborts = (status: number): object => ({
  '@type': TYPE + FAULT,
  abort: { http_status: status, percentage: { numerator: 100 } },
});

/** A filter of the way in whose configuration comes by ECDS. */
export const discovered = (name: string, more: object = {}, types: readonly string[] = [MUTATION]): object => ({
  applyTo: 'HTTP_FILTER',
  match: {
    context: 'SIDECAR_INBOUND',
    listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } },
  },
  patch: {
    operation: 'INSERT_FIRST',
    value: {
      name,
      config_discovery: {
        config_source: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0.3s' },
        type_urls: types.map((type) => TYPE + type),
        ...more,
      },
    },
  },
});

export const configuration = (name: string, typed_config: object): object => ({
  applyTo: 'EXTENSION_CONFIG',
  match: { context: 'SIDECAR_INBOUND' },
  patch: { operation: 'ADD', value: { name, typed_config } },
});

export const envoyFilter = (configPatches: readonly object[]): string => `---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: discovers, namespace: default }
spec: ${JSON.stringify({ workloadSelector: { labels: { app: 'served' } }, configPatches })}
`;

const call = { url: 'http://served/' };

/** Configurations of filters that stand somewhere else than the filters. */
export const extensionDiscovery: Table = {
  name: 'discovered filters (ECDS)',
  place: 'server',
  yaml: envoyFilter([
    configuration('present', adds('x-present', 'served')),
    discovered('present'),
    discovered('preferred', { default_config: adds('x-preferred', 'default') }),
    configuration('preferred', adds('x-preferred', 'served')),
    discovered('nobody-has', { default_config: adds('x-default', 'default'), apply_default_config_without_warming: true }),
  ]),
  rows: [
    {
      name: 'are what was served, else the default',
      call,
      expect: {
        status: 200,
        sees: { 'x-present': 'served', 'x-preferred': 'served', 'x-default': 'default' },
      },
    },
  ],
};
