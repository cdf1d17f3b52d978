import type { Listener } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches } from '../push/service.ts';
import type { GatewayPortServer } from './gateway-servers.ts';
import type { ListenerTelemetry } from './listener-telemetry.ts';
import { outboundSni } from './names.ts';
import { limitsOf, stacked } from './routed-streams.ts';
import { tcpProxy } from './tcp-proxy.ts';
import type { ExtensionFilter } from './traffic-extensions.ts';
import type { FieldsOf } from './values.ts';

type ChainFields = NonNullable<FieldsOf<typeof Listener>['filterChains']>[number];

/** What clients of the mesh offer in a handshake; nothing else is led on, so that no call gets to a workload's plaintext. */
const MESH_ALPN: readonly string[] = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

/** Of a gateway's chains: how long a handshake may take. */
export const CONNECT_TIMEOUT: { readonly seconds: number; readonly nanos: number } = { seconds: 15, nanos: 0 };

/**
 * An AUTO_PASSTHROUGH server: a chain for the server name of every port and subset of the services that the gateway sees and the server
 * names (Istio: builtAutoPassthroughFilterChains).
 */
export function namedStreamChains(
  { server }: GatewayPortServer,
  node: ProxyNode,
  push: PushContext,
  { accessLogs, stats, plugins }: ListenerTelemetry & { readonly plugins: (port: number) => readonly ExtensionFilter[] },
): ChainFields[] {
  const patterns = server.hosts.map((host) => host.slice(host.indexOf('/') + 1));
  const services = push
    .scopeFor(node)
    .services.filter(
      ({ meshExternal, resolution, hostname }) =>
        !meshExternal && resolution !== 'ALIAS' && patterns.some((pattern) => hostMatches(pattern, hostname)),
    );
  return services.flatMap((service) => {
    const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
    const subsets = [undefined, ...(rule?.subsets ?? []).map(({ name }) => name)];
    return service.ports.flatMap(({ port, protocol }) =>
      subsets.map((subset): ChainFields => {
        const name = outboundSni(service.hostname, port, subset);
        const proxy = tcpProxy(name, accessLogs, { limits: limitsOf(rule, subset, push.proxySettings(node)) });
        return {
          filterChainMatch: { serverNames: [name], applicationProtocols: [...MESH_ALPN] },
          filters: [...plugins(port), ...stats, ...stacked(protocol, name, proxy)],
          transportSocketConnectTimeout: CONNECT_TIMEOUT,
        };
      }),
    );
  });
}
