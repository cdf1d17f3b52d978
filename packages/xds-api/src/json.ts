import { WRITTEN_ONLY } from './any.ts';
import { messageTypeRegistry } from './generated/typeRegistry.ts';
import { typeName } from './type-urls.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Reads protobuf JSON with proto field names (as Envoy's config dump and istiod's debug pages print it) into a message. An Any of a
 * type that this package does not know, or of `others`, becomes a TypedStruct that names the type, so that readers can still tell what it was.
 */
export function fromProtoJson<T>(
  codec: { readonly $type: string; fromJSON(json: unknown): T },
  json: unknown,
  others: ReadonlySet<string> = WRITTEN_ONLY,
): T {
  return codec.fromJSON(replaceUnknown(json as Json, others));
}

/** In an Any their JSON is the bare value; the codecs read it as a field of that name. */
const WRAPPER = /^google\.protobuf\.(?:String|Bytes|Bool|Double|Float|U?Int32|U?Int64)Value$/;

function replaceUnknown(json: Json, others: ReadonlySet<string>): Json {
  if (Array.isArray(json)) return json.map((item) => replaceUnknown(item, others));
  if (json === null || typeof json !== 'object') return json;
  const type = json['@type'];
  const name = typeof type === 'string' ? typeName(type) : '';
  if (typeof type === 'string' && (!messageTypeRegistry.has(name) || others.has(name))) {
    const { '@type': _type, ...value } = json;
    return { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', type_url: type, value };
  }
  if (typeof type === 'string' && WRAPPER.test(name)) return { '@type': type, value: { value: json.value ?? null } };
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, replaceUnknown(value, others)]));
}
