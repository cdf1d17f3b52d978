import type { Row } from '../../row.ts';
import { typed } from '../static-config.ts';
import type { XdsTable } from '../xds-table.ts';

/** Operators whose values do not change from run to run, by the header that tells them. */
const OPERATORS: readonly string[] = [
  'RESPONSE_CODE',
  'RESPONSE_FLAGS',
  'RESPONSE_FLAGS_LONG',
  'RESPONSE_CODE_DETAILS',
  'CONNECTION_TERMINATION_DETAILS',
  'PROTOCOL',
  'ROUTE_NAME',
  'UPSTREAM_HOST',
  'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_CLUSTER_RAW',
  'UPSTREAM_REQUEST_ATTEMPT_COUNT',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_PEER_DNS_SAN',
  'DOWNSTREAM_LOCAL_URI_SAN',
  'REQUESTED_SERVER_NAME',
  'HOSTNAME',
  'ENVIRONMENT(PATH):3',
  'ENVIRONMENT(NOBODY_HAS_IT)',
  'START_TIME(%Y-%m-%d)',
  'PATH(NQ)',
  'QUERY_PARAM(a)',
  'REQ(:METHOD)',
  'REQ(x-nobody?x-mine)',
  'RESP(:STATUS)',
  'RESP(x-theirs)',
  'DYNAMIC_METADATA(nobody:has)',
];
const named = (prefix: string, operator: string): string => `${prefix}-${operator.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
const additions = (prefix: string): object[] =>
  OPERATORS.map((operator) => ({
    header: { key: named(prefix, operator), value: `<%${operator}%>` },
  }));
const mutations = (prefix: string): object[] => additions(prefix).map((append) => ({ append }));
const MUTATION = 'envoy.filters.http.header_mutation';
const headers = { 'x-mine': 'mine' };
const url = (path: string): string => `http://operators.example${path}?a=b`;
const call = (path: string): Row['call'] => ({ url: url(path), headers });
const upstream = [{ headers: { 'x-theirs': 'theirs' } }];

/** What header values say of a request and of its response, by Envoy's substitution operators. */
export const headerOperators: XdsTable = {
  name: 'operators in header values',
  config: (port) => ({
    filters: [
      {
        name: MUTATION,
        typed_config: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
          mutations: { request_mutations: mutations('f-req'), response_mutations: mutations('f-resp') },
        }),
      },
    ],
    clusters: { echo: { ports: [port('echo-v1')] }, refused: { ports: [1] } },
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        request_headers_to_add: additions('r-req'),
        response_headers_to_add: additions('r-resp'),
        routes: [
          { name: 'direct', match: { prefix: '/direct' }, direct_response: { status: 418 } },
          { name: 'refused', match: { prefix: '/refused' }, route: { cluster: 'refused' } },
          { name: 'echo', match: { prefix: '/' }, route: { cluster: 'echo' } },
        ],
      },
    ],
  }),
  rows: [
    { name: 'to and from an upstream', call: call('/'), upstream, expect: { status: 200, headers: { 'r-resp-response-code': '<200>' } } },
    { name: 'of an upstream that fails', call: call('/'), upstream: [{ status: 503 }], expect: { status: 503 } },
    { name: 'of a reply of its own', call: call('/direct'), expect: { status: 418 } },
    { name: 'of an upstream that cannot be reached', call: call('/refused'), expect: { status: 503 } },
  ],
};
