import type { OfflineWorkload } from '@ripstop/node';
import { askControlPlane, type HttpOptions } from '../control-plane-http.ts';
import { readSources } from '../read-sources.ts';

/** A workload whose configuration is at hand. */
export interface Member extends OfflineWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Where workloads are looked up. Both throw when nobody has the name, naming who there is. */
export interface Members {
  find(name: string, namespace: string): Promise<Member>;
}

/** Workloads of a folder of YAML, connected or not. */
export async function membersOfFolder(paths: readonly string[], trustDomain: string): Promise<Members> {
  const { absentNode, ObjectStore, PushContext, wireResourcesOf } = await import('@ripstop/control-plane');
  const store = new ObjectStore();
  const { objects } = store.update(await readSources(paths)) ?? store.state();
  const push = new PushContext({ objects, workloads: [], trustDomain });
  return {
    find: async (name, namespace) => {
      const node = absentNode(name, namespace, { instances: push.instances, objects });
      return member({ ...node, trustDomain: push.mesh.trustDomain }, wireResourcesOf(node, push));
    },
  };
}

interface Client {
  readonly proxyID: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface ClientResources {
  readonly node: Pick<Member, 'name' | 'namespace' | 'serviceAccount' | 'trustDomain'>;
  readonly resources: readonly { readonly typeUrl: string; readonly name: string; readonly body: string }[];
}

/** Clients of a running control plane, by name as proxy-status lists it, or by `app` label. */
export function membersOfControlPlane(options: HttpOptions): Members {
  return {
    find: async (name, namespace) => {
      const clients = await askControlPlane<readonly Client[]>(options, '/debug/adsz');
      const mine = clients.filter(({ proxyID }) => proxyID.endsWith(`.${namespace}`));
      const found =
        mine.find(({ proxyID }) => proxyID === `${name}.${namespace}`) ??
        mine.find(({ proxyID, labels }) => labels.app === name || proxyID.startsWith(`${name}-`));
      if (found === undefined) {
        const names = clients.map(({ proxyID }) => proxyID).sort();
        throw new Error(`no client ${name}.${namespace} is connected; connected are: ${names.join(', ') || 'none'}`);
      }
      const { node, resources } = await askControlPlane<ClientResources>(
        options,
        `/debug/resources?proxyID=${encodeURIComponent(found.proxyID)}`,
      );
      return member(
        node,
        resources.map((resource) => ({ ...resource, body: Buffer.from(resource.body, 'base64') })),
      );
    },
  };
}

function member(
  { name, namespace, serviceAccount, trustDomain }: ClientResources['node'],
  resources: OfflineWorkload['resources'],
): Member {
  return {
    name,
    namespace,
    serviceAccount,
    trustDomain,
    spiffeId: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
    resources,
  };
}
