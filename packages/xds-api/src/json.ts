import { messageTypeRegistry } from './generated/typeRegistry.ts';
import { typeName } from './type-urls.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Reads protobuf JSON with proto field names (as Envoy's config dump and istiod's debug pages print it) into a message. An Any of a
 * type that this package does not know becomes a TypedStruct that names the type, so that readers can still tell what it was.
 */
export function fromProtoJson<T>(codec: { readonly $type: string; fromJSON(json: unknown): T }, json: unknown): T {
  return codec.fromJSON(replaceUnknown(json as Json));
}

function replaceUnknown(json: Json): Json {
  if (Array.isArray(json)) return json.map(replaceUnknown);
  if (json === null || typeof json !== 'object') return json;
  const type = json['@type'];
  if (typeof type === 'string' && !messageTypeRegistry.has(typeName(type))) {
    const { '@type': _type, ...value } = json;
    return { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', type_url: type, value };
  }
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, replaceUnknown(value)]));
}
