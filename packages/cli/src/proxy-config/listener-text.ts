import { at, type Json, listIn, textIn } from './json.ts';
import { matchText } from './route-text.ts';

/** istioctl's short names of lists of ALPN names. */
const PROTOCOLS: readonly (readonly [text: string, names: string])[] = [
  ['App: HTTP TLS', 'http/1.1,h2c,istio-http/1.0,istio-http/1.1,istio-h2'],
  ['App: HTTP TLS', 'istio-http/1.0,istio-http/1.1,istio-h2'],
  ['App: TCP TLS', 'istio-peer-exchange,istio'],
  ['App: HTTP', 'http/1.1,h2c'],
];

/** Which connections a filter chain takes, in istioctl's words: `Trans: tls; App: HTTP TLS; Addr: *:9080`. */
export function chainMatchText(match: Json): string {
  const names = listIn<string>(match, 'application_protocols').join(',');
  const port = match.destination_port === undefined ? '' : `:${match.destination_port}`;
  const ranges = listIn(match, 'prefix_ranges').map((range) => `${textIn(range, 'address_prefix')}/${textIn(range, 'prefix_len') || '0'}`);
  const parts = [
    ['SNI: ', listIn<string>(match, 'server_names').join(',')],
    ['Trans: ', textIn(match, 'transport_protocol')],
    ['', PROTOCOLS.find(([, known]) => known === names)?.[0] ?? (names === '' ? '' : `App: ${names}`)],
    ['Addr: ', ranges.length > 0 ? `${ranges.join(',')}${port}` : port === '' ? '' : `*${port}`],
  ];
  const told = parts.filter(([, text]) => text !== '').map((part) => part.join(''));
  return told.length === 0 ? 'ALL' : told.join('; ');
}

/** Where its connections or requests go. */
export function destinationText(chain: Json): string {
  for (const filter of listIn(chain, 'filters')) {
    const config = at(filter, 'typed_config');
    const type = textIn(config, '@type');
    if (type.endsWith('.HttpConnectionManager')) return httpText(config);
    if (type.endsWith('.TcpProxy')) return tcpText(config);
  }
  return 'Non-HTTP/Non-TCP';
}

function httpText(config: Json): string {
  const name = textIn(at(config, 'rds'), 'route_config_name');
  if (name !== '') return `Route: ${name}`;
  const hosts = listIn(at(config, 'route_config'), 'virtual_hosts').map((host) => {
    const domains = listIn<string>(host, 'domains').filter((domain) => domain !== '*');
    const routes = listIn(host, 'routes').map((route) => matchText(at(route, 'match')));
    return [...domains, routes.join(', ')].join(' ');
  });
  return hosts.length === 0 ? 'HTTP' : `Inline Route: ${hosts.join('; ')}`;
}

function tcpText(config: Json): string {
  const weighted = listIn(at(config, 'weighted_clusters'), 'clusters').map(
    (entry) => `${textIn(entry, 'name')} (${textIn(entry, 'weight')})`,
  );
  const cluster = weighted.length > 0 ? weighted.join(', ') : textIn(config, 'cluster');
  return /^(BlackHole|Passthrough|InboundPassthrough)Cluster$/.test(cluster) ? cluster : `Cluster: ${cluster}`;
}
