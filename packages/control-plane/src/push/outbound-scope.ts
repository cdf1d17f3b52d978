import type { Protocol } from './protocol.ts';
import type { PortScope } from './routed-port.ts';
import type { MeshService } from './service.ts';
import type { SidecarObject } from './sidecar-spec.ts';
import type { VirtualService } from './virtual-services.ts';

/** An egress listener of a Sidecar; without a port it rules all ports that no other one does. */
export interface EgressListener {
  readonly port: number | undefined;
  /** What the listener is said to carry, whatever its services do. */
  readonly protocol: Protocol | undefined;
  /** Address of the listener; '' where it says none. */
  readonly bind: string;
  /** Name of its routes where callers name every host themselves, as to a proxy (protocol HTTP_PROXY, a Unix socket); '' for others. */
  readonly proxy: string;
  /** Connections come to the address itself: nothing captures them (captureMode NONE). */
  readonly opens: boolean;
  readonly services: readonly MeshService[];
}

/** With the rules for it. */
export interface EgressScope extends EgressListener, PortScope {}

/** What a workload is told about. */
export interface OutboundScope {
  /** Namespace and Sidecar that it belongs to: equal in every push. */
  readonly key: string;
  /** The catch-all one is the last, where there is one. */
  readonly egress: readonly EgressScope[];
  /** The same without rules, for what no rule has a say about. */
  readonly listeners: readonly EgressListener[];
  /** One per host name, sorted: those of the listeners, and those that only a rule in scope leads to. */
  readonly services: readonly MeshService[];
  /** `services` by host name. */
  readonly byHost: ReadonlyMap<string, MeshService>;
  /** Every rule of the listeners, and of gateways, in order of precedence. */
  readonly virtualServices: readonly VirtualService[];
  /** Some rule asks who the client is (sourceLabels). */
  readonly asksForLabels: boolean;
  /** Some rule for connections does. */
  readonly streamsAskForLabels: boolean;
  /** Some service is called at the addresses of its endpoints, of which the client may be one. */
  readonly hasHeadless: boolean;
  /** Hosts that nobody owns are passed on. */
  readonly allowAny: boolean;
  /** Then, by the name that each HTTP request gives. */
  readonly looksUpHosts: boolean;
  readonly sidecar: SidecarObject | undefined;
  /** What rules calls of a port: the listener for it, else the catch-all one; where there is none of these, a proxy's: processes without an Envoy (ours, gRPC libraries) are their own. */
  at(port: number): PortScope;
  /** The services that have a port, and the rules that may have a say about its routes: what the others say changes nothing there. */
  routed(port: number): PortScope;
}
