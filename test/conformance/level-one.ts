/**
 * What a user sees of a resource (README of the recordings, "Comparing", level 1). Left out, each with its reason: names of statistics
 * and Envoy's own request-id extension (no behaviour), Istio's private filters (the SDK does their work; a stock Envoy
 * does not have them), capture details of iptables (binding, listener filters, source addresses).
 */
const IGNORED_FIELDS: ReadonlySet<string> = new Set([
  'altStatName',
  'statPrefix',
  'requestIdExtension',
  'upstreamBindConfig',
  'cleanupInterval',
  'listenerFilters',
  'bindToPort',
  'dnsJitter',
  'dnsResolutionConfig',
  'typedDnsResolverConfig',
  // Of a cluster there, of the content here: it only has to change.
  'ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION',
]);

const PRIVATE_FILTERS: ReadonlySet<string> = new Set(['istio.metadata_exchange', 'istio.alpn', 'istio.stats']);

/** Left out within one field. The tracer: our messages are older than the form in which istiod names a Zipkin collector. */
const IGNORED_WITHIN: Readonly<Record<string, string>> = { tracing: 'provider' };

/** Lists whose order has no meaning, or none that istiod keeps (claims of a match come from a map). */
const SETS: ReadonlySet<string> = new Set([
  'domains',
  'dynamicMetadata',
  'headers',
  'matchSubjectAltNames',
  'lbEndpoints',
  'queryParameters',
]);

export function levelOne(json: unknown): unknown {
  return reduce(json, '');
}

function reduce(json: unknown, field: string): unknown {
  if (Array.isArray(json)) {
    const items = json.filter((item) => !(isObject(item) && PRIVATE_FILTERS.has(String(item.name)))).map((item) => reduce(item, ''));
    if (field === 'filterChains') return toldInOrder(items);
    if (field === 'virtualHosts') return items.sort(byName);
    return SETS.has(field) ? items.sort(byText) : items;
  }
  if (!isObject(json)) return json;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(json).sort()) {
    if (IGNORED_FIELDS.has(key) || IGNORED_WITHIN[field] === key) continue;
    const value = reduce(json[key], key);
    if (Array.isArray(value) && value.length === 0) continue;
    kept[key] = value;
  }
  return kept;
}

/** Domains decide, not the order: istiod sorts virtual hosts for Envoys, for gRPC it leaves them as they come. */
function byName(a: unknown, b: unknown): number {
  const [first, second] = [a, b].map((host) => (isObject(host) ? String(host.name) : '')) as [string, string];
  return first < second ? -1 : first > second ? 1 : 0;
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/**
 * Chains that are told by ports, ranges of destinations or server names: the order of them means nothing, and istiod has none where
 * services come in any order, or ports from a map (the `portLevelMtls` of a PeerAuthentication).
 */
function toldInOrder(chains: readonly unknown[]): unknown[] {
  const isTold = (chain: unknown): boolean =>
    isObject(chain) &&
    isObject(chain.filterChainMatch) &&
    ['prefixRanges', 'serverNames', 'destinationPort'].some((fact) => fact in (chain.filterChainMatch as object));
  return [...chains.filter(isTold).sort(byText), ...chains.filter((chain) => !isTold(chain))];
}

/** `name: path: wanted …, got …` for each resource that is not the same; an extra or missing resource by its name. */
export function firstDifferences(actual: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): string[] {
  const found: string[] = [];
  for (const [name, want] of expected) {
    if (!actual.has(name)) found.push(`${name}: missing`);
    else {
      const difference = compare(actual.get(name), want, '');
      if (difference !== undefined) found.push(`${name}: ${difference}`);
    }
  }
  for (const name of actual.keys()) if (!expected.has(name)) found.push(`${name}: istiod sends none`);
  return found;
}

function compare(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
      const difference = compare(actual[index], expected[index], `${path}[${index}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (isObject(actual) && isObject(expected)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const difference = compare(actual[key], expected[key], `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (Object.is(actual, expected)) return undefined;
  return `${path}: wanted ${short(expected)}, got ${short(actual)}`;
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 300);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
