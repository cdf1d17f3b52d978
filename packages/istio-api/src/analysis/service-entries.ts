import type { MeshObject } from '../object.ts';
import type { ServiceEntrySpec } from '../types/networking.ts';
import { EVERYWHERE, exportedTo } from './hosts.ts';
import { type MeshDocuments, nameOf } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

type Entry = MeshObject<ServiceEntrySpec>;
interface Port {
  readonly protocol: string;
  readonly object: Entry;
  readonly index: number;
}

/** Ports of ServiceEntries (Istio: ProtocolAddressesAnalyzer, ConflictingServiceEntryProtocolAnalyzer). */
export const analyzeServiceEntries: Analyzer = (mesh, say) => {
  const entries = mesh.all<ServiceEntrySpec>('networking.istio.io/ServiceEntry');
  if (!addressesAreAllocated(mesh)) for (const object of entries) checkAddresses(object, say);
  checkProtocols(entries, say);
};

function addressesAreAllocated({ meshConfig }: MeshDocuments): boolean {
  const { proxyMetadata = {} } = (meshConfig.defaultConfig ?? {}) as { readonly proxyMetadata?: Readonly<Record<string, unknown>> };
  const on = (name: string): boolean => String(proxyMetadata[name]) === 'true';
  return on('ISTIO_META_DNS_CAPTURE') && (on('ISTIO_META_DNS_AUTO_ALLOCATE') || on('PILOT_ENABLE_IP_AUTOALLOCATE'));
}

/** Written by istiod. */
function hasAllocated({ rest }: Entry): boolean {
  const { addresses = [] } = (rest.status ?? {}) as { readonly addresses?: readonly unknown[] };
  return addresses.length > 0;
}

function checkAddresses(object: Entry, say: Say): void {
  if (object.spec.addresses !== undefined || hasAllocated(object)) return;
  for (const [index, { protocol = '', number }] of (object.spec.ports ?? []).entries())
    if (protocol === '' || protocol.toUpperCase() === 'TCP')
      say(
        object,
        'IST0134',
        ['spec', 'ports', index],
        `port ${number} is TCP, and nothing but an address tells whose a connection is: give addresses, or the protocol that it speaks`,
      );
}

function checkProtocols(entries: readonly Entry[], say: Say): void {
  const ports = new Map<string, Port[]>();
  for (const object of entries)
    for (const scope of exportedTo(object.spec.exportTo, object.metadata.namespace))
      for (const host of object.spec.hosts)
        for (const [index, { number, protocol = '' }] of (object.spec.ports ?? []).entries()) {
          const key = `${scope} ${host} ${number}`;
          ports.set(key, [...(ports.get(key) ?? []), { protocol: protocol.toUpperCase(), object, index }]);
        }
  const told = new Set<Entry>();
  for (const [key, own] of ports) {
    const [scope, host, port] = key.split(' ') as [string, string, string];
    const all = scope === EVERYWHERE ? own : [...own, ...(ports.get(`${EVERYWHERE} ${host} ${port}`) ?? [])];
    const protocols = [...new Set(all.map(({ protocol }) => protocol))].sort();
    if (protocols.length < 2) continue;
    const names = [...new Set(all.map(({ object }) => nameOf(object)))].sort().join(', ');
    for (const { object, index } of all) {
      if (told.has(object)) continue;
      told.add(object);
      say(
        object,
        'IST0177',
        ['spec', 'ports', index],
        `the ServiceEntries ${names} give port ${port} of "${host}" different protocols (${protocols.map((one) => one || 'none').join(', ')}): let them agree`,
      );
    }
  }
}
