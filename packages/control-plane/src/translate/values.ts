import { type MeshObject, parseDuration } from '@ripstop/istio-api';
import { type FractionalPercent, FractionalPercent_DenominatorType } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';

/** The fields that a message of this codec may be made from: `FieldsOf<typeof Cluster>`. */
export type FieldsOf<C extends { fromPartial(fields: never): unknown }> = Parameters<C['fromPartial']>[0];

export interface ProtoDuration {
  readonly seconds: number;
  readonly nanos: number;
}

export function milliseconds(ms: number): ProtoDuration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1_000_000) };
}

/** A Go duration of a validated document; undefined stays undefined. */
export function duration(text: string | undefined): ProtoDuration | undefined {
  const ms = text === undefined ? undefined : parseDuration(text);
  return ms === undefined ? undefined : milliseconds(ms);
}

export const ZERO: ProtoDuration = { seconds: 0, nanos: 0 };

/** Istio's double percentages become millionths. */
export function percentage(value: number | undefined): FractionalPercent {
  return { numerator: Math.trunc((value ?? 0) * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}

export function wholePercent(value: number): FractionalPercent {
  return { numerator: value, denominator: FractionalPercent_DenominatorType.HUNDRED };
}

const COLLECTIONS: Readonly<Record<string, string>> = { VirtualService: 'virtual-service', DestinationRule: 'destination-rule' };

/** istiod's name of an object: `/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews`. */
export function configPath({ kind, metadata }: MeshObject): string {
  return `/apis/networking.istio.io/v1/namespaces/${metadata.namespace}/${COLLECTIONS[kind] ?? kind.toLowerCase()}/${metadata.name}`;
}

/**
 * Where a resource comes from, in `filter_metadata.ripstop`. Only for our own clients: file names are nobody else's business, and
 * an Envoy gets exactly what istiod would send.
 */
export function sourceMetadata(
  node: Pick<ProxyNode, 'ripstop'>,
  object: MeshObject | undefined,
  path: readonly (string | number)[] = [],
): { readonly ripstop?: Record<string, string | number> } {
  if (!node.ripstop || object === undefined) return {};
  const { file, line } = object.locate(path);
  const { name, namespace } = object.metadata;
  return { ripstop: { kind: object.kind, namespace, name, file, line } };
}
