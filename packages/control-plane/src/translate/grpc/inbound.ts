import {
  HttpConnectionManager,
  type HttpFilter,
  HttpRbac,
  LISTENER_TYPE_URL,
  Listener,
  packAny,
  type RouteConfiguration,
  Router,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import { socketAddress } from '../inbound-listener.ts';
import { servicePorts } from '../inbound-ports.ts';
import type { XdsResource } from '../resource.ts';
import type { FieldsOf } from '../values.ts';
import { grpcClientOf } from './client.ts';
import { grpcRbac } from './rbac.ts';
import { grpcDownstreamSocket } from './tls.ts';

type Note = (text: string) => void;

/** The listener of a gRPC server; undefined when no Service names the port (istiod's rule, whatever the address). */
export function grpcInboundListener(
  name: string,
  { address, port }: { readonly address: string; readonly port: number },
  node: ProxyNode,
  push: PushContext,
  note: Note,
): XdsResource | undefined {
  if (!servicePorts(node, push).some(({ targetPort }) => targetPort === port)) return undefined;
  const mtls = requiresMtls(node, push, port, note);
  const kind = mtls ? 'mtls' : 'plaintext';
  const value = packAny(
    HttpConnectionManager,
    HttpConnectionManager.fromPartial({
      routeSpecifier: { $case: 'routeConfig', value: ROUTES },
      httpFilters: [...rbacFilters(node, push, address, note), ROUTER],
    }),
  );
  const message = Listener.fromPartial({
    name,
    address: socketAddress(address, port),
    filterChains: [
      {
        name: `inbound-${kind}`,
        filters: [{ name: `inbound-hcm${kind}`, configType: { $case: 'typedConfig', value } }],
        ...(mtls ? { transportSocket: grpcDownstreamSocket() } : {}),
      },
    ],
  });
  return { typeUrl: LISTENER_TYPE_URL, name, message };
}

/** One port, one way to connect: PERMISSIVE is mTLS for workloads that say they speak it, plaintext for the others (istiod's rule). */
function requiresMtls(node: ProxyNode, push: PushContext, port: number, note: Note): boolean {
  const mode = push.peerAuthentications.modeFor(node.namespace, node.labels, port);
  if (mode !== 'PERMISSIVE') return mode === 'STRICT';
  const speaks = node.labels['security.istio.io/tlsMode'] === 'istio';
  note(`PeerAuthentication PERMISSIVE: a gRPC server takes one of both; it takes ${speaks ? 'mTLS' : 'plaintext'} only`);
  return speaks;
}

function rbacFilters(node: ProxyNode, push: PushContext, address: string, note: Note): FieldsOf<typeof HttpFilter>[] {
  const trustDomains = [push.mesh.trustDomain, ...push.mesh.trustDomainAliases];
  const addresses = address !== '::' || grpcClientOf(node).mappedAddresses;
  return grpcRbac(push.policiesFor(node.namespace, node.labels), { trustDomains, addresses, note }).map(({ name, rules }) => ({
    name,
    configType: { $case: 'typedConfig', value: packAny(HttpRbac, HttpRbac.fromPartial({ rules })) },
  }));
}

const ROUTER = {
  name: 'envoy.filters.http.router',
  configType: { $case: 'typedConfig', value: packAny(Router, Router.fromPartial({})) },
} as const;

const ROUTES: FieldsOf<typeof RouteConfiguration> = {
  name: 'inbound',
  virtualHosts: [
    {
      domains: ['*'],
      routes: [{ match: { pathSpecifier: { $case: 'prefix', value: '/' } }, action: { $case: 'nonForwardingAction', value: {} } }],
    },
  ],
};
