import { ROUTE_TYPE_URL, RouteConfiguration } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import { hostMatches } from '../../push/service.ts';
import type { XdsResource } from '../resource.ts';
import { counted, type VirtualHostFields } from '../route-configuration.ts';
import type { RouteFields } from '../route-scope.ts';
import { portHosts } from '../routes.ts';
import { grpcClientOf } from './client.ts';
import { parseOutbound } from './names.ts';
import { noNotes, type TakeNote } from './notes.ts';
import { plainRoutes } from './plain-routes.ts';

/** RDS of the named route configurations: one service port each, by whatever name it is called. An unknown name has no hosts. */
export function grpcRoutes(node: ProxyNode, push: PushContext, names: readonly string[], note: TakeNote = noNotes): XdsResource[] {
  return names.map((name) => {
    const parsed = parseOutbound(name);
    const found = parsed === undefined ? [] : portHosts(node, push, parsed.port, true).filter((host) => answersTo(host, parsed));
    const hosts = found.map((host) => ({ ...host, routes: routesOf(host, name, node, note) }));
    const virtualHosts = counted(hosts, push.proxySettings(node).headers);
    return { typeUrl: ROUTE_TYPE_URL, name, message: RouteConfiguration.fromPartial({ name, virtualHosts }) };
  });
}

/** A wildcard domain answers to every host under it. */
function answersTo({ domains }: VirtualHostFields, { host, port }: { readonly host: string; readonly port: number }): boolean {
  return (domains ?? []).some((domain) => {
    const at = /:\d+$/.exec(domain)?.index ?? domain.length;
    const name = domain.slice(0, at);
    return (at === domain.length || domain.slice(at + 1) === String(port)) && (hostMatches(name, host) || hostMatches(host, name));
  });
}

function routesOf({ routes = [] }: VirtualHostFields, name: string, node: ProxyNode, note: TakeNote): RouteFields[] {
  const timed = routes.map(withStreamDuration);
  return grpcClientOf(node).known ? plainRoutes(timed, name, (text) => note(name, text)) : timed;
}

/** The timeout of a VirtualService in the field that gRPC reads. */
function withStreamDuration(route: RouteFields): RouteFields {
  // istiod leaves the default route of a service as it is.
  if (route.action?.$case !== 'route' || route.metadata?.filterMetadata?.istio === undefined) return route;
  const { maxGrpcTimeout: _, ...action } = route.action.value ?? {};
  const { timeout } = action;
  return { ...route, action: { $case: 'route', value: { ...action, maxStreamDuration: { maxStreamDuration: timeout } } } };
}
