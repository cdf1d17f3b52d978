import { codecOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { type PackedResource, packed } from '../translate/resource.ts';
import { translate } from '../translate/translate.ts';

/** A resource ready for the wire. */
export type EncodedResource = PackedResource;

/** The resources of one type for one node, encoded. */
export function encodeResources(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): EncodedResource[] {
  return codecOf(typeUrl) === undefined ? [] : translate(typeUrl, node, push, names).map(packed);
}
