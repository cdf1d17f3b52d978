import { DeltaDiscoveryResponse, DiscoveryResponse, encodeMessage } from '@ripstop/xds-api';
import { milliseconds } from '../translate/values.ts';
import type { EncodedResource } from './encoded-resource.ts';
import type { SessionResponse } from './session-messages.ts';
import { encodedLength, type ResourceForm, type SharedBodies, writeResources } from './shared-bodies.ts';

/** One message, its bytes one behind the other. Bodies belong to other messages too: nobody may write into them. */
export interface WireMessage {
  readonly head: Uint8Array;
  readonly body: Uint8Array | undefined;
}

/** Less than this is copied into the message; more is put together once for everybody who gets the same. */
const SHARED_FROM_BYTES = 4 * 1024;

/** A delta response. Resources are put in as they are: they were encoded once for all clients. */
export function deltaMessage(response: SessionResponse, bodies: SharedBodies): WireMessage {
  const { typeUrl, nonce, version, changed, removed } = response;
  const fields = { typeUrl, nonce, systemVersionInfo: version, removedResources: [...removed] };
  const resources = expiring(response);
  if (resources.length > 0)
    return { head: encodeMessage(DeltaDiscoveryResponse, DeltaDiscoveryResponse.fromPartial({ ...fields, resources })), body: undefined };
  const head = DeltaDiscoveryResponse.fromPartial(fields);
  return withResources(encodeMessage(DeltaDiscoveryResponse, head), 'delta', changed, bodies);
}

/** Resources that expire, and those that are only confirmed: few clients ask for it, so it is put together for each. */
function expiring({ changed, beats = [], ttlMs = 0 }: SessionResponse) {
  if (ttlMs === 0) return [];
  const ttl = milliseconds(ttlMs);
  return [...changed.map(({ name, version, any }) => ({ name, version, resource: any, ttl })), ...beats.map((beat) => ({ ...beat, ttl }))];
}

/** A state-of-the-world response: the resources without their wrapper. */
export function sotwMessage(
  { typeUrl, nonce, version }: SessionResponse,
  resources: readonly EncodedResource[],
  bodies: SharedBodies,
): WireMessage {
  const head = DiscoveryResponse.fromPartial({ typeUrl, nonce, versionInfo: version });
  return withResources(encodeMessage(DiscoveryResponse, head), 'sotw', resources, bodies);
}

/** Fields of a message may stand in any order. */
function withResources(head: Uint8Array, form: ResourceForm, resources: readonly EncodedResource[], bodies: SharedBodies): WireMessage {
  if (resources.length === 0) return { head, body: undefined };
  const length = encodedLength(form, resources);
  if (length >= SHARED_FROM_BYTES) return { head, body: bodies.of(form, resources, length) };
  const bytes = Buffer.allocUnsafe(head.length + length);
  bytes.set(head);
  writeResources(form, resources, bytes, head.length);
  return { head: bytes, body: undefined };
}
