import type { RecordedNode } from '../istiod-process.ts';
import type { Document } from './document.ts';
import type { Random } from './random.ts';

type Json = Record<string, unknown>;

function secondOf(ip: string): string {
  const [, second = '', third = '', last = ''] = ip.split('.');
  // As a machine writes it.
  return `2001:db8:${[second, third].filter((part) => part !== '0').join(':')}::${last}`.replace(':::', '::');
}

/**
 * The same cluster with two address families: pods have an address of each, Services of the first one, of the second or of both, with an
 * EndpointSlice for each. Some ServiceEntries have an address of the second family.
 */
export function withTwoFamilies(random: Random, documents: readonly Document[]): Document[] {
  const families = new Map<string, readonly string[]>();
  for (const { kind, metadata, spec } of documents)
    if (kind === 'Service' && (spec as Json).externalName === undefined)
      families.set(
        `${metadata.namespace}/${metadata.name}`,
        random.pick([['IPv4', 'IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4'], ['IPv4'], ['IPv6']]),
      );
  return documents.flatMap((document) => {
    const { kind, metadata } = document;
    if (kind === 'Pod') return [podOfTwo(document)];
    if (kind === 'Service') return [serviceOf(document, families.get(`${metadata.namespace}/${metadata.name}`))];
    if (kind === 'EndpointSlice')
      return slicesOf(document, families.get(`${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`) ?? ['IPv4']);
    if (kind === 'ServiceEntry') return [entryOf(random, document)];
    return [document];
  });
}

function podOfTwo(document: Document): Document {
  const status = document.status as { readonly podIP: string };
  return { ...document, status: { ...status, podIPs: [{ ip: status.podIP }, { ip: secondOf(status.podIP) }] } };
}

function serviceOf(document: Document, ipFamilies: readonly string[] | undefined): Document {
  const spec = document.spec as Json;
  if (ipFamilies === undefined) return document;
  const ipFamilyPolicy = ipFamilies.length === 2 ? 'PreferDualStack' : 'SingleStack';
  const own = String(spec.clusterIP);
  if (own === 'None') return { ...document, spec: { ...spec, ipFamilies, ipFamilyPolicy } };
  const clusterIPs = ipFamilies.map((family) => (family === 'IPv4' ? own : secondOf(own)));
  return { ...document, spec: { ...spec, ipFamilies, ipFamilyPolicy, clusterIP: clusterIPs[0], clusterIPs } };
}

function slicesOf(document: Document, ipFamilies: readonly string[]): Document[] {
  return ipFamilies.map((family) => {
    if (family === 'IPv4') return document;
    const endpoints = (document.endpoints as { readonly addresses: readonly string[] }[]).map((endpoint) => ({
      ...endpoint,
      addresses: endpoint.addresses.map(secondOf),
    }));
    return { ...document, metadata: { ...document.metadata, name: `${document.metadata.name}6` }, addressType: 'IPv6', endpoints };
  });
}

function entryOf(random: Random, document: Document): Document {
  const spec = document.spec as { readonly addresses?: readonly string[]; readonly resolution?: string };
  const [first] = spec.addresses ?? [];
  if (first === undefined || first.includes('/') || !random.chance(0.5)) return document;
  return { ...document, spec: { ...spec, addresses: [`2001:db8:1::${first.split('.')[3]}`] } };
}

/** A node as the network of its machine has it: mostly of both families. */
export function nodeOfFamilies(random: Random, node: RecordedNode): RecordedNode {
  const [type = '', ip = '', ...rest] = node.ID.split('~');
  const six = secondOf(ip);
  const own = random.pick([[ip, six], [ip, six], [six, ip], [ip], [six]]);
  return { ...node, ID: [type, own[0], ...rest].join('~'), Metadata: { ...node.Metadata, INSTANCE_IPS: own.join() } };
}
