import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  loadProtoJsonWriter,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  TypedExtensionConfig,
} from '@ripstop/xds-api';
import { firstDifferences, levelOne } from './level-one.ts';

/** One of the lists of a recording. */
export interface ResourceList<L extends string = 'clusters' | 'endpoints' | 'listeners' | 'routes'> {
  readonly list: L;
  readonly typeUrl: string;
  /** Reads a resource of a recording. */
  readonly read: (json: unknown) => object;
  readonly nameOf: (message: object) => string;
  /** What a user sees of a resource. */
  readonly levelOne: (message: object) => unknown;
}

interface Codec<T> {
  readonly $type: string;
  fromJSON(json: unknown): T;
  toJSON(message: T): unknown;
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function listOf<T extends object, L extends string>(
  list: L,
  typeUrl: string,
  codec: Codec<T>,
  nameOf: (message: T) => string,
): ResourceList<L> {
  return {
    list,
    typeUrl,
    read: (json) => fromProtoJson(codec, json),
    nameOf: (message) => nameOf(message as T),
    // Encoding and decoding again brings both sides to the same form, whatever way they were made.
    levelOne: (message) => levelOne(codec.toJSON(codec.decode(asRead(codec, typeUrl, codec.encode(message as T).finish())))),
  };
}

const write = await loadProtoJsonWriter();
/** Of a filter that is made here, and is only passed on where it is read, as something that names its type. */
const PASSED_ON = Buffer.from('envoy.extensions.filters.http.lua.v3.Lua');

/** What we make has the form of what is read. */
function asRead<T>(codec: Codec<T>, typeUrl: string, body: Uint8Array): Uint8Array {
  if (!Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(PASSED_ON)) return body;
  return codec.encode(fromProtoJson(codec, write(typeUrl, body))).finish();
}

export const RESOURCE_LISTS: readonly ResourceList[] = [
  listOf('clusters', CLUSTER_TYPE_URL, Cluster, ({ name }) => name),
  listOf('endpoints', ENDPOINT_TYPE_URL, ClusterLoadAssignment, ({ clusterName }) => clusterName),
  listOf('listeners', LISTENER_TYPE_URL, Listener, ({ name }) => name),
  listOf('routes', ROUTE_TYPE_URL, RouteConfiguration, ({ name }) => name),
];

/** Filters that come by themselves (ECDS); only an istiod that is asked tells them. Plugins are read as what they are, not as what is passed on. */
export const EXTENSION_LIST: ResourceList<'extensions'> = {
  ...listOf('extensions', EXTENSION_TYPE_URL, TypedExtensionConfig, ({ name }) => name),
  read: (json) => fromProtoJson(TypedExtensionConfig, json, new Set()),
};

/** What a user sees differently, resource by resource; both sides are messages of the list's type. */
export function resourceDifferences(kind: ResourceList<string>, actual: readonly object[], expected: readonly object[]): string[] {
  const byName = (messages: readonly object[]): Map<string, unknown> =>
    new Map(messages.map((message) => [kind.nameOf(message), kind.levelOne(message)]));
  return firstDifferences(byName(actual), byName(expected));
}
