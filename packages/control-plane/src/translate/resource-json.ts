import { codecOf, loadProtoJsonWriter } from '@ripstop/xds-api';
import type { XdsResource } from './resource.ts';

/** Writes resources as protobuf JSON with proto field names, as Envoy's config dump prints them. */
export async function loadResourceWriter(): Promise<(resource: XdsResource) => unknown> {
  const write = await loadProtoJsonWriter();
  return ({ typeUrl, message }) => {
    const codec = codecOf(typeUrl);
    if (codec === undefined) throw new Error(`${typeUrl} is no type of this version`);
    return write(typeUrl, codec.encode(message).finish());
  };
}
