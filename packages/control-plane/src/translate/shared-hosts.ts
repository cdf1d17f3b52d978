import type { MeshObject } from '@ripstop/istio-api';
import { encodeMessage, VirtualHost } from '@ripstop/xds-api';
import { type VirtualHostFields, virtualHost } from './route-configuration.ts';
import type { RouteFields } from './route-scope.ts';
import { sourceMetadata } from './values.ts';

interface HostInput {
  readonly name: string;
  readonly domains: readonly string[];
  /** The same object for as long as the routes are the same. */
  readonly routes: readonly RouteFields[];
  readonly source: MeshObject;
  readonly ripstop: boolean;
}

interface Known {
  readonly source: MeshObject;
  readonly fields: VirtualHostFields;
}

/** By the routes, which go when nobody has them any more. */
const hosts = new WeakMap<readonly RouteFields[], Map<string, Known>>();
/** A service has one name, and other short ones for its own namespace. What comes and goes beyond that is not kept. */
const MAX_NAMES = 16;

/** A virtual host; the same object for all tables that have the same one, whichever namespace and push they are for. */
export function sharedHost({ name, domains, routes, source, ripstop }: HostInput): VirtualHostFields {
  let known = hosts.get(routes);
  if (known === undefined) {
    known = new Map();
    hosts.set(routes, known);
  }
  const key = `${ripstop} ${name} ${domains.join(' ')}`;
  const before = known.get(key);
  if (before?.source === source) return before.fields;
  if (known.size >= MAX_NAMES) known.clear();
  const fields = virtualHost(name, domains, routes, { ...sourceMetadata({ ripstop }, source) });
  known.set(key, { source, fields });
  return fields;
}

/** Hosts as they stand in a table, with and without the count of attempts. */
const encodings = { counted: new WeakMap<VirtualHostFields, Uint8Array>(), uncounted: new WeakMap<VirtualHostFields, Uint8Array>() };

/** `counted`: the host says which attempt a request is. A change of one of a table's hosts leaves the others encoded. */
export function encodedHost(host: VirtualHostFields, counted: boolean): Uint8Array {
  const known = counted ? encodings.counted : encodings.uncounted;
  let bytes = known.get(host);
  if (bytes === undefined) {
    const { includeRequestAttemptCount: _, ...uncounted } = host;
    bytes = encodeMessage(VirtualHost, VirtualHost.fromPartial(counted ? host : uncounted));
    known.set(host, bytes);
  }
  return bytes;
}
