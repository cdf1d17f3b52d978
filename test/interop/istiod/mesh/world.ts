import type { Random } from './random.ts';

/**
 * What documents are made of: few names and values, so that they meet. Hosts and ports that nobody serves are among them on purpose.
 */
export const ROOT = 'istio-system';
export const NAMESPACES: readonly string[] = ['shop', 'web', ROOT];
export const SERVICE_NAMES: readonly string[] = ['cart', 'reviews', 'db'];
export const VERSIONS: readonly string[] = ['v1', 'v2'];
export const ACCOUNTS: readonly string[] = ['cart', 'reviews', 'default'];
export const ENTRY_HOSTS: readonly string[] = ['api.example.com', '*.example.com', 'db.internal', 'www.example.com'];
export const PORT_NUMBERS: readonly number[] = [80, 8080, 9000, 443, 6000, 9090];
/** What every pod names. */
export const NAMED_PORTS: readonly { readonly name: string; readonly containerPort: number }[] = [{ name: 'web', containerPort: 8082 }];
/** Creation times: ties are as likely as an order. */
const TIMES: readonly string[] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'];

export const NETWORK_LABEL = 'topology.istio.io/network';

/** The machines that pods run on. */
export const PLACES: readonly { readonly node: string; readonly region: string; readonly zone: string; readonly subZone: string }[] = [
  { node: 'node-a', region: 'region1', zone: 'zone1', subZone: 'sub1' },
  { node: 'node-b', region: 'region1', zone: 'zone1', subZone: 'sub2' },
  { node: 'node-c', region: 'region1', zone: 'zone2', subZone: '' },
  { node: 'node-d', region: 'region2', zone: 'zone3', subZone: '' },
];

export interface ServiceName {
  readonly name: string;
  readonly namespace: string;
}

/** What the documents of one mesh refer to. */
export interface World {
  readonly random: Random;
  readonly services: readonly ServiceName[];
  /** Draws what is not about requests, too: connections, telemetry, patches, what proxies are told beside. */
  readonly wide: boolean;
}

export function fqdn({ name, namespace }: ServiceName): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

/** A host as somebody in `namespace` may write it: short, half or whole, of a service, of a ServiceEntry, of nobody. */
export function anyHost({ random, services }: World, namespace: string): string {
  if (random.chance(0.2)) return random.pick(ENTRY_HOSTS.filter((host) => !host.startsWith('*')));
  if (random.chance(0.05)) return random.pick(['nobody', 'nobody.example.org', 'cart.shop']);
  const service = random.pick(services);
  return service.namespace === namespace && random.chance(0.5) ? service.name : fqdn(service);
}

/** A host that may be a wildcard. */
export function anyPattern(world: World, namespace: string): string {
  const { random } = world;
  if (!random.chance(0.2)) return anyHost(world, namespace);
  return random.pick(['*.example.com', '*.shop.svc.cluster.local', '*.svc.cluster.local', '*.local']);
}

export function metadataOf(
  random: Random,
  name: string,
  namespace: string,
): { name: string; namespace: string; creationTimestamp: string } {
  return { name, namespace, creationTimestamp: random.pick(TIMES) };
}

export function exportTo(random: Random): { exportTo?: string[] } {
  return random.maybe(0.25, () => ({
    exportTo: random.chance(0.6) ? [random.pick(['*', '.'])] : random.some(['.', 'shop', 'web', ROOT], 1, 2),
  }));
}

export function duration(random: Random): string {
  return random.pick(['1s', '0.5s', '250ms', '10s', '1m30s', '2s']);
}
