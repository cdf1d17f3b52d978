import { createHash } from 'node:crypto';
import { type Any, CLUSTER_TYPE_URL, type Cluster, Cluster_DiscoveryType, codecOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { translate } from '../translate/translate.ts';

/** A resource ready for the wire. Equal content has an equal version, on every server and after every restart. */
export interface EncodedResource {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
  /** Clusters only: the EDS resource that a client needs with it; '' = none. */
  readonly endpointsName: string;
}

/** Clients share messages (see push/shared.ts), so each is encoded once. */
const encoded = new WeakMap<object, EncodedResource>();

/** The resources of one type for one node, encoded. */
export function encodeResources(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): EncodedResource[] {
  const codec = codecOf(typeUrl);
  if (codec === undefined) return [];
  return translate(typeUrl, node, push, names).map(({ name, message }) => {
    const known = encoded.get(message);
    if (known !== undefined) return known;
    const value = codec.encode(message).finish();
    const resource = {
      name,
      version: contentVersion(value),
      any: { typeUrl, value: value as Any['value'] },
      endpointsName: typeUrl === CLUSTER_TYPE_URL ? endpointsOf(message as Cluster) : '',
    };
    encoded.set(message, resource);
    return resource;
  });
}

export function contentVersion(content: string | Uint8Array): string {
  return createHash('sha1').update(content).digest('base64url').slice(0, 16);
}

function endpointsOf({ name, clusterDiscoveryType, edsClusterConfig }: Cluster): string {
  const eds = clusterDiscoveryType?.$case === 'type' && clusterDiscoveryType.value === Cluster_DiscoveryType.EDS;
  if (!eds) return '';
  return edsClusterConfig === undefined || edsClusterConfig.serviceName === '' ? name : edsClusterConfig.serviceName;
}
