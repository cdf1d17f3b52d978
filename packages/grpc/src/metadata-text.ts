import type grpc from '@grpc/grpc-js';

/** Metadata values as they stand on the wire: binary ones in base64, several joined by ",". */
export function metadataText(metadata: grpc.Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  if (values.length === 0) return undefined;
  let joined = text(values[0]!);
  for (let index = 1; index < values.length; index++) joined += `,${text(values[index]!)}`;
  return joined;
}

export function metadataLines(metadata: grpc.Metadata, name: string): readonly string[] {
  return metadata.get(name).map(text);
}

/** grpc-js demands bytes for `-bin` names and printable ASCII for all others; it throws on anything else. */
export function metadataValue(name: string, value: string): grpc.MetadataValue {
  return name.endsWith('-bin') ? Buffer.from(value, 'base64') : value;
}

/** One cookie of its crumbs, as the codec of Envoy joins them. */
export function joinCrumbs(crumbs: readonly string[]): string {
  return crumbs.reduce((before, crumb) => (before === '' ? crumb : `${before}; ${crumb}`), '');
}

function text(value: grpc.MetadataValue): string {
  return typeof value === 'string' ? value : value.toString('base64');
}
