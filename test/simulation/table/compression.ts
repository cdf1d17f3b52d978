import type { Row, Table } from '../row.ts';

const TEXT = 'all the same '.repeat(50);

function encoded(
  name: string,
  coding: string | undefined,
  accept: string,
  upstream: NonNullable<Row['upstream']>[number] = { body: TEXT },
): Row {
  const headers = { 'content-encoding': coding, ...(coding === undefined ? {} : { vary: 'Accept-Encoding', 'content-length': undefined }) };
  return {
    name,
    call: { url: 'http://served/', headers: { 'accept-encoding': accept } },
    upstream: [upstream],
    expect: { status: 200, body: upstream.body ?? '', headers },
  };
}

/** What an app answers is encoded on its way out; the rules themselves: xds/table/compression.ts. */
export const compressedServer: Table = {
  name: 'a server that compresses',
  place: 'server',
  yaml: `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: compress, namespace: default }
spec:
  workloadSelector: { labels: { app: served } }
  configPatches:
  - applyTo: HTTP_FILTER
    match: { context: SIDECAR_INBOUND, listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } } } } }
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.compressor
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor
          compressor_library:
            name: gzip
            typed_config: { "@type": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip }
`,
  rows: [
    encoded('who asks gets it encoded', 'gzip', 'gzip'),
    encoded('who does not gets it plain', undefined, 'br'),
    encoded('a short one stays', undefined, 'gzip', { body: 'short' }),
    encoded('a long one', 'gzip', 'gzip', { body: 'x'.repeat(1_000_000) }),
    encoded('what the app has encoded itself stays', undefined, 'gzip', {
      body: TEXT,
      headers: { 'cache-control': 'no-transform' },
    }),
  ],
};
