import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Any } from './generated/google/protobuf/any.ts';
import { messageTypeRegistry } from './generated/typeRegistry.ts';
import { typeName, typeUrlOf } from './type-urls.ts';

/** What every generated message object offers and this package needs. */
export interface MessageCodec<T> {
  readonly $type: string;
  encode(message: T, writer?: BinaryWriter): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Its buffer grows to the largest message and is used again: a writer of its own for each message costs more than the writing. */
const writer = new BinaryWriter();

/** The bytes of a message, in a buffer of just their size. */
export function encodeMessage<T>(codec: MessageCodec<T>, message: T): Uint8Array {
  try {
    return codec.encode(message, writer).finish();
  } catch (error) {
    writer.finish(); // Forgets what was written of it.
    throw error;
  }
}

/** Packs a message: `packAny(Cluster, cluster)`. */
export function packAny<T>(codec: MessageCodec<T>, message: T): Any {
  return { typeUrl: typeUrlOf(codec.$type), value: encodeMessage(codec, message) as Any['value'] };
}

/** Unpacks a message of a known type. Throws when the Any holds another type or does not parse. */
export function unpackAny<T>(codec: MessageCodec<T>, any: Any): T {
  if (typeName(any.typeUrl) !== codec.$type) throw new Error(`expected ${codec.$type}, got ${any.typeUrl || 'no type'}`);
  return codec.decode(any.value);
}

/** True when the Any holds a message of this type. */
export function isAny(codec: { readonly $type: string }, any: Any | undefined): any is Any {
  return any !== undefined && typeName(any.typeUrl) === codec.$type;
}

/**
 * What is written, and not read: the shipped protos are older than these filters, and a field that somebody sets in an EnvoyFilter must
 * not get lost on the way through a message that does not have it.
 */
export const WRITTEN_ONLY: ReadonlySet<string> = new Set([
  'envoy.extensions.filters.http.lua.v3.Lua',
  'envoy.extensions.filters.http.wasm.v3.Wasm',
  'envoy.extensions.filters.network.wasm.v3.Wasm',
]);

/** The codec of a type URL, or undefined for a type that this package does not know. */
export function codecOf(typeUrl: string): MessageCodec<unknown> | undefined {
  const name = typeName(typeUrl);
  return WRITTEN_ONLY.has(name) ? undefined : (messageTypeRegistry.get(name) as MessageCodec<unknown> | undefined);
}
