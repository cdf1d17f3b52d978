import { type Any, codecOf, type MessageCodec, packAny, TypedStruct, typeName } from '@ripstop/xds-api';

type Fields = Record<string, unknown>;

/** Fields that are maps: protobuf merges them key by key, and replaces what a key has. */
const MAPS: ReadonlySet<string> = new Set([
  'filterMetadata',
  'typedFilterMetadata',
  'typedPerFilterConfig',
  'typedExtensionProtocolOptions',
  'extensionProtocolOptions',
  'requestHeadersToAddMap',
]);

/**
 * Protobuf's merge: messages field by field, lists appended, everything else replaced; a oneof is replaced when another member is set
 * (istiod: pkg/util/protomarshal merge; a Duration is replaced as a whole). `json`: the patch as it is written, which tells a zero that
 * is meant from a field that is not set. Neither of the two is changed.
 */
export function mergeMessage<T extends object>(target: T, patch: object, json: unknown, replacesLists = false): T {
  const merged: Fields = { ...(target as Fields) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const written = isOneof(value) ? memberOf(json, value.$case) : memberOf(json, name);
    const before = merged[name];
    if (Array.isArray(value)) {
      if (value.length > 0) merged[name] = Array.isArray(before) && !replacesLists ? [...before, ...value] : value;
    } else if (isOneof(value)) {
      const same = isOneof(before) && before.$case === value.$case && isMessage(before.value) && isMessage(value.value);
      merged[name] = same
        ? { ...value, value: mergeMessage(before.value as object, value.value as object, written, replacesLists) }
        : value;
    } else if (isMessage(value)) {
      if (MAPS.has(name)) merged[name] = { ...(before as Fields | undefined), ...value };
      else
        merged[name] =
          isMessage(before) && !isDuration(value) && !isPacked(value) ? mergeMessage(before, value, written, replacesLists) : value;
    } else if (written !== undefined) merged[name] = value;
  }
  return merged as T;
}

/** Of two Any of one type the merged one; of different types the patch does not fit, and nothing changes (istiod: MergeAnyWithAny). */
export function mergeAny(target: Any, patch: Any, json: unknown, replacesLists = false): Any {
  const codec = codecOf(target.typeUrl) as MessageCodec<object> | undefined;
  const same = typeName(target.typeUrl) === typeName(patch.typeUrl) && typeName(target.typeUrl) !== TypedStruct.$type;
  if (codec === undefined || !same) return target;
  return packAny(codec, mergeMessage(codec.decode(target.value), codec.decode(patch.value), json, replacesLists));
}

/** `typed_config` of a patch as it is written. */
export function typedConfigOf(json: unknown): unknown {
  return memberOf(json, 'typedConfig');
}

/** Proto JSON has a field by its proto name or in camel case. */
function memberOf(json: unknown, name: string): unknown {
  if (typeof json !== 'object' || json === null) return undefined;
  const fields = json as Fields;
  return fields[name] ?? fields[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}

function isOneof(value: unknown): value is { readonly $case: string; readonly value: unknown } {
  return typeof value === 'object' && value !== null && '$case' in value;
}

function isMessage(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isDuration(value: object): boolean {
  return 'seconds' in value && 'nanos' in value;
}

function isPacked(value: object): boolean {
  return 'typeUrl' in value && 'value' in value;
}
