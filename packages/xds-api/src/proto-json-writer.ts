import { typeName } from './type-urls.ts';

/** Writes an encoded message of a type. Throws for a type that this package does not know, also inside an Any. */
export type ProtoJsonWriter = (typeUrl: string, body: Uint8Array) => unknown;

/**
 * Protobuf JSON with proto field names, as Envoy's config dump and istiod's debug pages print it: unset fields left out, durations as
 * "0.500s", enums by name. Loads 0.4 MB of descriptors, so only who prints xDS asks for it.
 */
export async function loadProtoJsonWriter(): Promise<ProtoJsonWriter> {
  const [{ createFileRegistry, fromBinary, toJson }, { FileDescriptorSetSchema }, { DESCRIPTORS }] = await Promise.all([
    import('@bufbuild/protobuf'),
    import('@bufbuild/protobuf/wkt'),
    import('./generated/descriptors.ts'),
  ]);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(DESCRIPTORS, 'base64')));
  return (typeUrl, body) => {
    const message = registry.getMessage(typeName(typeUrl));
    if (message === undefined) throw new Error(`${typeUrl} is no type of this version`);
    return toJson(message, fromBinary(message, body), { registry, useProtoFieldName: true });
  };
}
