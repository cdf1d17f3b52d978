import { encodeMessage, ROUTE_TYPE_URL, RouteConfiguration } from '@ripstop/xds-api';
import type { ProxySettings } from '../push/proxy-settings.ts';
import { PackedResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields } from './route-configuration.ts';
import { encodedHost } from './shared-hosts.ts';
import { varintLength, writeVarint } from './varint.ts';

/** Field 2, length-delimited. */
const VIRTUAL_HOSTS_TAG = 0x12;

/** A route configuration put together of its hosts' bytes: the very bytes that encoding it as a whole would give. */
export function packedTable(
  name: string,
  virtualHosts: readonly VirtualHostFields[],
  settings: ProxySettings,
  ignoresPorts = true,
): PackedResource {
  const hosts = virtualHosts.map((host) => encodedHost(host, settings.headers.countsAttempts));
  const before = encodeMessage(RouteConfiguration, RouteConfiguration.fromPartial({ name }));
  const message = routeConfiguration(name, [], settings, ignoresPorts);
  const behind = encodeMessage(RouteConfiguration, { ...message, name: '' });
  let length = before.length + behind.length;
  for (const host of hosts) length += 1 + varintLength(host.length) + host.length;
  const body = Buffer.allocUnsafe(length);
  body.set(before);
  let at = before.length;
  for (const host of hosts) {
    body[at] = VIRTUAL_HOSTS_TAG;
    at = writeVarint(host.length, body, at + 1);
    body.set(host, at);
    at += host.length;
  }
  body.set(behind, at);
  return new PackedResource({ typeUrl: ROUTE_TYPE_URL, name, message }, body);
}
