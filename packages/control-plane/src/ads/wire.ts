import { DeltaDiscoveryResponse, DiscoveryResponse, encodeMessage } from '@ripstop/xds-api';
import type { EncodedResource } from './encoded-resource.ts';
import type { SessionResponse } from './session-messages.ts';

/** Field 2, length-delimited: the resources of both variants. */
const RESOURCES_TAG = 0x12;

/** Where a response is put together. */
export type Take = (length: number) => Buffer;

/** A delta response. Resources are put in as they are: they were encoded once for all clients. */
export function deltaBytes({ typeUrl, nonce, version, changed, removed }: SessionResponse, take: Take): Buffer {
  const head = DeltaDiscoveryResponse.fromPartial({ typeUrl, nonce, systemVersionInfo: version, removedResources: [...removed] });
  return withResources(
    encodeMessage(DeltaDiscoveryResponse, head),
    changed.map(({ wire }) => wire),
    take,
  );
}

/** A state-of-the-world response: the resources without their wrapper. */
export function sotwBytes({ typeUrl, nonce, version }: SessionResponse, resources: readonly EncodedResource[], take: Take): Buffer {
  const head = DiscoveryResponse.fromPartial({ typeUrl, nonce, versionInfo: version });
  return withResources(encodeMessage(DiscoveryResponse, head), resources.map(anyOf), take);
}

/** The bytes of the `Any`, which ends the wrapper: type_url, then value. */
function anyOf({ any, wire }: EncodedResource): Uint8Array {
  const type = Buffer.byteLength(any.typeUrl);
  const value = any.value.length === 0 ? 0 : 1 + varintLength(any.value.length) + any.value.length;
  return wire.subarray(wire.length - (1 + varintLength(type) + type + value));
}

/** Fields of a message may stand in any order. */
function withResources(head: Uint8Array, resources: readonly Uint8Array[], take: Take): Buffer {
  let length = head.length;
  for (const resource of resources) length += 1 + varintLength(resource.length) + resource.length;
  const bytes = take(length);
  bytes.set(head);
  let at = head.length;
  for (const resource of resources) {
    bytes[at++] = RESOURCES_TAG;
    let left = resource.length;
    for (; left > 0x7f; left >>>= 7) bytes[at++] = (left & 0x7f) | 0x80;
    bytes[at++] = left;
    bytes.set(resource, at);
    at += resource.length;
  }
  return bytes;
}

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}
