import { type Any, codecOf, fromProtoJson, TypedStruct, typeName, XdsTypedStruct } from '@ripstop/xds-api';

/** A typed configuration: what type it is, and the bytes of a message of that type. */
export interface TypedConfig {
  readonly typeUrl: string;
  readonly body: Uint8Array;
}

interface JsonCodec {
  readonly $type: string;
  fromJSON(json: unknown): unknown;
  toJSON(message: unknown): unknown;
}

/**
 * Looks through TypedStruct, in which people write configuration as a tree of fields (EnvoyFilter): the tree becomes the message that it
 * names. Throws for a field that the message does not have: it might be what the filter is there for.
 */
export function unwrapTypedConfig(any: Any): TypedConfig {
  const name = typeName(any.typeUrl);
  if (name !== TypedStruct.$type && name !== XdsTypedStruct.$type) return { typeUrl: any.typeUrl, body: any.value };
  const { typeUrl, value } = name === TypedStruct.$type ? TypedStruct.decode(any.value) : XdsTypedStruct.decode(any.value);
  const codec = codecOf(typeUrl);
  // Filters without settings, and those that nobody here knows by more than their name.
  if (codec === undefined) return { typeUrl, body: new Uint8Array() };
  const json = codec as unknown as JsonCodec;
  const message = fromProtoJson(json, value ?? {});
  const unknown = unknownField(value ?? {}, json.toJSON(message));
  if (unknown !== '') throw new Error(`${typeName(typeUrl)}: the field ${unknown} is not known`);
  return { typeUrl, body: codec.encode(message).finish() };
}

/** Path of a field that was given and is not in what was understood; '' = there is none. */
function unknownField(given: unknown, understood: unknown): string {
  if (Array.isArray(given) && Array.isArray(understood)) {
    for (const [index, item] of given.entries()) {
      const path = unknownField(item, understood[index]);
      if (path !== '') return path;
    }
    return '';
  }
  if (!isTree(given) || !isTree(understood) || '@type' in given) return '';
  for (const [key, value] of Object.entries(given)) {
    if (value === null) continue;
    const name: string = key in understood ? key : key.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
    if (!(name in understood)) return key;
    const path = unknownField(value, understood[name]);
    if (path !== '') return `${key}.${path}`;
  }
  return '';
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
