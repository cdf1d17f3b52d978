import { type Document, NETWORKING } from './document.ts';
import { ENTRY_HOSTS, exportTo, fqdn, metadataOf, NAMESPACES, PLACES, VERSIONS, type World } from './world.ts';

type Json = Record<string, unknown>;

const PORTS: readonly Json[] = [
  { number: 80, name: 'http', protocol: 'HTTP' },
  { number: 8080, name: 'http-8080', protocol: 'HTTP', targetPort: 80 },
  { number: 443, name: 'https', protocol: 'HTTPS' },
  { number: 443, name: 'tls', protocol: 'TLS' },
  { number: 443, name: 'http-tls', protocol: 'HTTP', targetPort: 443 },
  { number: 9000, name: 'grpc', protocol: 'GRPC' },
  { number: 8000, name: 'http2', protocol: 'HTTP2' },
  { number: 6000, name: 'tcp', protocol: 'TCP' },
  { number: 9090, name: 'auto' },
];

/** Protocols that are rarely written. */
const MORE_PORTS: readonly Json[] = [
  { number: 9001, name: 'grpc-web', protocol: 'GRPC-WEB' },
  { number: 8888, name: 'proxy', protocol: 'HTTP_PROXY' },
  { number: 8081, name: 'lower', protocol: 'http2' },
];

/** Told apart by their addresses alone, like TCP. */
const STREAM_PORTS: readonly Json[] = [
  { number: 27_017, name: 'mongo', protocol: 'MONGO' },
  { number: 3306, name: 'mysql', protocol: 'MYSQL' },
  { number: 6379, name: 'redis', protocol: 'Redis' },
  { number: 6000, name: 'tcp-7000', protocol: 'TCP', targetPort: 7000 },
  { number: 53, name: 'dns', protocol: 'UDP' },
];

/** ServiceEntries of every resolution and location; WorkloadEntries that they and Services select. */
export function serviceEntries(world: World): Document[] {
  const { random } = world;
  // One for all names that are looked up: a failoverPriority over those of two localities ends istiod itself.
  const dnsPlace = world.wide ? random.pick(['', 'region1/zone1', 'region2']) : undefined;
  return [
    ...random.several(0, 3, (index) => serviceEntry(world, index, dnsPlace)),
    ...random.several(0, 2, (index) => workloadEntry(world, index)),
  ];
}

function serviceEntry(world: World, index: number, dnsPlace: string | undefined): Document {
  const { random, wide } = world;
  const namespace = random.pick(NAMESPACES);
  const resolution = random.pick(['STATIC', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'NONE', 'DYNAMIC_DNS']);
  const hosts =
    resolution === 'DYNAMIC_DNS'
      ? ['*.example.com']
      : random.chance(0.05)
        ? [fqdn(random.pick(world.services))]
        : random.some(
            ENTRY_HOSTS.filter((host) => !host.startsWith('*') || resolution === 'NONE'),
            1,
            2,
          );
  // Of several addresses istiod sends every endpoint once for each.
  const addresses =
    resolution !== 'DYNAMIC_DNS' && random.chance(0.4) ? [!wide || random.chance(0.8) ? `240.1.0.${index + 1}` : '240.2.0.0/16'] : [];
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceEntry',
    // Which of two of one age comes first, istiod leaves to chance.
    metadata: { ...metadataOf(random, `se-${index}`, namespace), creationTimestamp: `2026-01-01T00:00:0${(index * 7 + 3) % 10}Z` },
    spec: {
      hosts,
      ...(addresses.length === 0 ? {} : { addresses }),
      ports: portsOf(world, hosts.length === 1),
      ...random.maybe(0.7, () => ({ location: random.pick(['MESH_EXTERNAL', 'MESH_INTERNAL']) })),
      resolution,
      ...endpointsOf(world, resolution, dnsPlace),
      ...random.maybe(0.12, () => ({ subjectAltNames: ['spiffe://cluster.local/ns/shop/sa/cart'] })),
      ...exportTo(random),
    },
  };
}

function portsOf({ random, wide }: World, tcp: boolean): Json[] {
  const ports: Json[] = [];
  const all = wide ? [...PORTS, ...MORE_PORTS] : PORTS;
  const known = tcp ? [...all, ...(wide ? STREAM_PORTS : [])] : all.filter(({ protocol }) => protocol !== 'TCP' && protocol !== undefined);
  for (const port of random.some(known, 1, 3)) if (!ports.some(({ number }) => number === port.number)) ports.push(port);
  return ports;
}

function endpointsOf(world: World, resolution: string, dnsPlace: string | undefined): Json {
  const { random, wide } = world;
  if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS') return {};
  if (resolution === 'STATIC' && random.chance(0.35)) return { workloadSelector: { labels: { app: random.pick(['vm', 'cart']) } } };
  const dns = resolution !== 'STATIC';
  if (dns && random.chance(0.4)) return {};
  return {
    endpoints: random.several(1, resolution === 'DNS_ROUND_ROBIN' ? 1 : 3, (index) =>
      dns
        ? { ...workload(world, `ep${index}.example.org`), ...(dnsPlace === undefined ? {} : { locality: dnsPlace }) }
        : workload(world, wide && random.chance(0.05) ? `unix:///var/run/${index}.sock` : `10.1.0.${index + 1}`),
    ),
  };
}

function workload({ random, wide }: World, address: string): Json {
  const { region, zone, subZone } = random.pick(PLACES);
  return {
    address,
    ...random.maybe(0.3, () => ({ ports: { [wide ? random.pick(['http', 'http', 'tcp', 'grpc', 'auto']) : 'http']: 7070 } })),
    ...(wide ? random.maybe(0.1, () => ({ network: random.pick(['other', 'n1', 'n2']) })) : {}),
    ...random.maybe(0.5, () => ({ labels: { app: random.pick(['vm', 'cart']), version: random.pick(VERSIONS) } })),
    ...random.maybe(0.4, () => ({ locality: random.pick([region, `${region}/${zone}`, `${region}/${zone}/${subZone}`]) })),
    ...random.maybe(0.3, () => ({ weight: random.pick([0, 1, 5]) })),
    ...random.maybe(0.4, () => ({ serviceAccount: random.pick(['cart', 'vm']) })),
  };
}

function workloadEntry(world: World, index: number): Document {
  const { random } = world;
  const { labels, ...spec } = workload(world, `10.2.0.${index + 1}`);
  return {
    apiVersion: NETWORKING,
    kind: 'WorkloadEntry',
    metadata: {
      ...metadataOf(random, `we-${index}`, random.pick(NAMESPACES)),
      ...random.maybe(0.2, () => ({ labels: { version: 'v2' } })),
    },
    spec: { ...spec, labels: labels ?? { app: 'vm' } },
  };
}
