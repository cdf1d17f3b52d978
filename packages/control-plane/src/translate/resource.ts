import { createHash } from 'node:crypto';
import { type Any, CLUSTER_TYPE_URL, type Cluster, Cluster_DiscoveryType, codecOf, encodeMessage, Resource } from '@ripstop/xds-api';
import { Versioned } from '../push/shared.ts';
import { type Mark, type Marked, markOf } from './digest.ts';

/** One xDS resource for one node. */
export interface XdsResource {
  readonly typeUrl: string;
  readonly name: string;
  /** A ts-proto message of `typeUrl`. */
  readonly message: object;
}

/** Some of a node's resources of one type: what changes for reasons of its own is made on its own. */
export type Part = () => readonly XdsResource[];

/**
 * A resource as bytes, which take a tenth of the memory of the message: what is remembered for many clients is packed. Equal content
 * has an equal version, on every server and after every restart.
 */
export class PackedResource extends Versioned implements XdsResource, Marked {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
  /** The resource as it stands in every client's response: `Resource`, of which `any` is the last part. */
  readonly wire: Uint8Array;
  readonly mark: Mark;
  /** Clusters only: the EDS resource that a client needs with it; '' = none. */
  readonly endpointsName: string;

  /** `encoded`: the message, where somebody has put it together as bytes. */
  constructor({ typeUrl, name, message }: XdsResource, encoded?: Uint8Array) {
    super();
    const body = encoded ?? encodeMessage(codecOf(typeUrl)!, message);
    this.name = name;
    this.version = createHash('sha1').update(body).digest('base64url').slice(0, 16);
    this.wire = encodeMessage(Resource, {
      ...Resource.fromPartial({ name, version: this.version }),
      resource: { typeUrl, value: body as Any['value'] },
    });
    // The value is the last field of the last field.
    this.any = { typeUrl, value: this.wire.subarray(this.wire.length - body.length) as Any['value'] };
    this.mark = markOf(name, this.version);
    this.endpointsName = typeUrl === CLUSTER_TYPE_URL ? endpointsOf(message as Cluster) : '';
  }

  get typeUrl(): string {
    return this.any.typeUrl;
  }

  get message(): object {
    return codecOf(this.any.typeUrl)!.decode(this.any.value) as object;
  }
}

export function packed(resource: XdsResource): PackedResource {
  return resource instanceof PackedResource ? resource : new PackedResource(resource);
}

function endpointsOf({ name, clusterDiscoveryType, edsClusterConfig }: Cluster): string {
  const eds = clusterDiscoveryType?.$case === 'type' && clusterDiscoveryType.value === Cluster_DiscoveryType.EDS;
  if (!eds) return '';
  return edsClusterConfig === undefined || edsClusterConfig.serviceName === '' ? name : edsClusterConfig.serviceName;
}
