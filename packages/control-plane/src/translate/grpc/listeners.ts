import { HTTPFault, HttpConnectionManager, LISTENER_TYPE_URL, Listener, packAny, Router } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import { addressesFor, type MeshService } from '../../push/service.ts';
import { socketAddress } from '../inbound-listener.ts';
import type { XdsResource } from '../resource.ts';
import { grpcInboundListener } from './inbound.ts';
import { parseInbound, routeName } from './names.ts';
import { noNotes, type TakeNote } from './notes.ts';

/**
 * LDS of the named listeners: `host:port` of a client's target, `xds.istio.io/grpc/lds/inbound/<ip>:<port>` of a server. A host without
 * a port stands for all its ports, no names at all for every port in scope (istiod's rules).
 */
export function grpcListeners(node: ProxyNode, push: PushContext, names: readonly string[], note: TakeNote = noNotes): XdsResource[] {
  const inbound = names.flatMap((name) => {
    const at = parseInbound(name);
    return at === undefined ? [] : (grpcInboundListener(name, at, node, push, (text) => note(name, text)) ?? []);
  });
  const targets = names.filter((name) => parseInbound(name) === undefined);
  return [...inbound, ...(names.length === 0 ? everyPort(node, push) : asked(targets, node, push))];
}

function everyPort(node: ProxyNode, push: PushContext): XdsResource[] {
  return push
    .scopeFor(node)
    .services.flatMap((service) => service.ports.map(({ port }) => outbound(node, service, service.hostname, port)));
}

/** Every spelling of a host is answered with every port that was asked of that host. */
function asked(targets: readonly string[], node: ProxyNode, push: PushContext): XdsResource[] {
  const hosts = new Map<MeshService, { readonly spellings: Set<string>; readonly ports: Set<number> }>();
  for (const target of targets) {
    const { host, port } = parseTarget(target);
    const service = serviceCalled(host, node, push);
    if (service === undefined) continue;
    const entry = hosts.get(service) ?? { spellings: new Set(), ports: new Set() };
    hosts.set(service, entry);
    entry.spellings.add(host);
    for (const own of service.ports) if (port === undefined || own.port === port) entry.ports.add(own.port);
  }
  return [...hosts].flatMap(([service, { spellings, ports }]) =>
    [...spellings].flatMap((spelling) => [...ports].map((port) => outbound(node, service, spelling, port))),
  );
}

function parseTarget(target: string): { readonly host: string; readonly port?: number } {
  const match = /^(.+):(\d+)$/.exec(target);
  return match === null ? { host: target } : { host: match[1]!, port: Number(match[2]) };
}

/** By its full name, or by what the client's DNS search list would make of a short one. */
function serviceCalled(host: string, node: ProxyNode, push: PushContext): MeshService | undefined {
  const { services } = push.scopeFor(node);
  const { domain } = push.mesh;
  for (const name of [host, `${host}.${node.namespace}.svc.${domain}`, `${host}.svc.${domain}`, `${host}.${domain}`]) {
    const service = services.find(({ hostname }) => hostname === name);
    if (service !== undefined) return service;
  }
  return undefined;
}

function outbound(node: ProxyNode, service: MeshService, spelling: string, port: number): XdsResource {
  const name = `${spelling}:${port}`;
  const manager = HttpConnectionManager.fromPartial({
    routeSpecifier: {
      $case: 'rds',
      value: {
        routeConfigName: routeName(service.hostname, port),
        configSource: { configSourceSpecifier: { $case: 'ads', value: {} } },
      },
    },
    httpFilters: [
      { name: 'envoy.filters.http.fault', configType: { $case: 'typedConfig', value: packAny(HTTPFault, HTTPFault.fromPartial({})) } },
      ROUTER_FILTER,
    ],
  });
  const message = Listener.fromPartial({
    name,
    address: socketAddress(addressesFor(node, service)[0] ?? service.addresses[0] ?? '0.0.0.0', port),
    apiListener: { apiListener: packAny(HttpConnectionManager, manager) },
  });
  return { typeUrl: LISTENER_TYPE_URL, name, message };
}

const ROUTER_FILTER = {
  name: 'envoy.filters.http.router',
  configType: { $case: 'typedConfig', value: packAny(Router, Router.fromPartial({})) },
} as const;
