import { DeltaDiscoveryResponse, DiscoveryResponse, encodeMessage, packAny, Resource } from '@ripstop/xds-api';
import { NAMED_TYPES } from '../translate/translate.ts';
import { milliseconds } from '../translate/values.ts';
import type { EncodedResource } from './encoded-resource.ts';
import type { SessionResponse } from './session-messages.ts';
import { encodedLength, type ResourceForm, type SharedBodies, writeResources } from './shared-bodies.ts';

/** Compression flag and length, which stand before a message (gRPC over HTTP/2: Length-Prefixed-Message). */
export const PREFIX_BYTES = 5;

/** One message, its bytes one behind the other. Bodies belong to other messages too: nobody may write into them. */
export interface WireMessage {
  /** With room for the prefix in front. */
  readonly head: Buffer;
  readonly body: Uint8Array | undefined;
}

/** Less than this is copied into the message; more is put together once for everybody who gets the same. */
const SHARED_FROM_BYTES = 4 * 1024;

/** A delta response. Resources are put in as they are: they were encoded once for all clients. */
export function deltaMessage(response: SessionResponse, bodies: SharedBodies): WireMessage {
  const { typeUrl, nonce, version, changed, removed } = response;
  const fields = { typeUrl, nonce, systemVersionInfo: version, removedResources: [...removed] };
  const resources = expiring(response, changed);
  if (resources.length > 0)
    return {
      head: headOf(encodeMessage(DeltaDiscoveryResponse, DeltaDiscoveryResponse.fromPartial({ ...fields, resources })), 0),
      body: undefined,
    };
  const known = bodies.lastMessage(response);
  if (known !== undefined) return known;
  const head = DeltaDiscoveryResponse.fromPartial(fields);
  const message = withResources(encodeMessage(DeltaDiscoveryResponse, head), 'delta', changed, bodies);
  bodies.keepMessage(response, message);
  return message;
}

/** Resources that expire, and those that are only confirmed: few clients ask for it, so it is put together for each. */
function expiring({ beats = [], ttlMs = 0 }: SessionResponse, sent: readonly EncodedResource[]) {
  if (ttlMs === 0) return [];
  const ttl = milliseconds(ttlMs);
  return [...sent.map(({ name, version, any }) => ({ name, version, resource: any, ttl })), ...beats.map((beat) => ({ ...beat, ttl }))];
}

/** A state-of-the-world response: the resources without their wrapper, but those that expire. */
export function sotwMessage(response: SessionResponse, bodies: SharedBodies): WireMessage {
  const { typeUrl, nonce, version, changed, all } = response;
  const sent = NAMED_TYPES.has(typeUrl) ? changed : all;
  const fields = { typeUrl, nonce, versionInfo: version };
  const resources = expiring(response, sent).map((each) => packAny(Resource, Resource.fromPartial(each)));
  if (resources.length > 0)
    return { head: headOf(encodeMessage(DiscoveryResponse, DiscoveryResponse.fromPartial({ ...fields, resources })), 0), body: undefined };
  return withResources(encodeMessage(DiscoveryResponse, DiscoveryResponse.fromPartial(fields)), 'sotw', sent, bodies);
}

/** Fields of a message may stand in any order. */
function withResources(fields: Uint8Array, form: ResourceForm, resources: readonly EncodedResource[], bodies: SharedBodies): WireMessage {
  if (resources.length === 0) return { head: headOf(fields, 0), body: undefined };
  const length = encodedLength(form, resources);
  if (length >= SHARED_FROM_BYTES) return { head: headOf(fields, 0), body: bodies.of(form, resources, length) };
  const head = headOf(fields, length);
  writeResources(form, resources, head, PREFIX_BYTES + fields.length);
  return { head, body: undefined };
}

/** `more`: bytes that follow the fields. */
function headOf(fields: Uint8Array, more: number): Buffer {
  const head = Buffer.allocUnsafe(PREFIX_BYTES + fields.length + more);
  head.set(fields, PREFIX_BYTES);
  return head;
}
