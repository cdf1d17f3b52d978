import { codecOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { PackedResource, packed, type XdsResource } from '../translate/resource.ts';
import { translate } from '../translate/translate.ts';

/** A resource ready for the wire. */
export type EncodedResource = PackedResource;

/** The resources of one type for one node, encoded. */
export function encodeResources(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): readonly EncodedResource[] {
  return codecOf(typeUrl) === undefined ? [] : encoded(translate(typeUrl, node, push, names));
}

/** The list itself where everything in it is encoded already. */
export function encoded(resources: readonly XdsResource[]): readonly EncodedResource[] {
  return resources.every(isPacked) ? (resources as readonly EncodedResource[]) : resources.map(packed);
}

function isPacked(resource: XdsResource): boolean {
  return resource instanceof PackedResource;
}
