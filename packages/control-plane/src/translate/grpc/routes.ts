import { ROUTE_TYPE_URL, RouteConfiguration } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import type { MeshService } from '../../push/service.ts';
import { defaultRoute, type RouteFields, type RouteScope, virtualServiceRoutes } from '../http-routes.ts';
import { outboundCluster } from '../names.ts';
import type { XdsResource } from '../resource.ts';
import { type VirtualHostFields, virtualHost } from '../route-configuration.ts';
import { domainsOf } from '../routes.ts';
import { grpcClientOf } from './client.ts';
import { parseOutbound } from './names.ts';
import { noNotes, type TakeNote } from './notes.ts';
import { plainRoutes } from './plain-routes.ts';

/** RDS of the named route configurations: one service port each, by whatever name it is called. An unknown name has no hosts. */
export function grpcRoutes(node: ProxyNode, push: PushContext, names: readonly string[], note: TakeNote = noNotes): XdsResource[] {
  return names.map((name) => {
    const parsed = parseOutbound(name);
    const service =
      parsed === undefined || parsed.subset !== ''
        ? undefined
        : push
            .scopeFor(node)
            .at(parsed.port)
            .services.find(({ hostname, ports }) => hostname === parsed.host && ports.some(({ port }) => port === parsed.port));
    const virtualHosts = service === undefined ? [] : [serviceHost(service, node, push, parsed!.port, (text) => note(name, text))];
    return { typeUrl: ROUTE_TYPE_URL, name, message: RouteConfiguration.fromPartial({ name, virtualHosts }) };
  });
}

function serviceHost(
  service: MeshService,
  node: ProxyNode,
  push: PushContext,
  port: number,
  note: (text: string) => void,
): VirtualHostFields {
  const scope: RouteScope = { node, push, listenPort: port, gateway: 'mesh' };
  const rule = push.scopeFor(node).at(port).governing('mesh', service.hostname, port);
  const routes = rule === undefined ? [defaultRoute(service, port, scope)] : virtualServiceRoutes(rule, scope).map(withStreamDuration);
  // gRPC compares the whole authority: it has no ignore_port_in_host_matching.
  const domains = domainsOf(service, node.namespace, push.mesh.domain).flatMap((name) => [name, `${bracketed(name)}:${port}`]);
  const own = outboundCluster(service.hostname, port);
  return virtualHost(`${service.hostname}:${port}`, domains, grpcClientOf(node).known ? plainRoutes(routes, own, note) : routes);
}

/** The timeout of a VirtualService in the field that gRPC reads. */
function withStreamDuration(route: RouteFields): RouteFields {
  if (route.action?.$case !== 'route') return route;
  const { maxGrpcTimeout: _, ...action } = route.action.value ?? {};
  const { timeout } = action;
  return { ...route, action: { $case: 'route', value: { ...action, maxStreamDuration: { maxStreamDuration: timeout } } } };
}

function bracketed(name: string): string {
  return name.includes(':') ? `[${name}]` : name;
}
