import type { ProxyNode } from '../model/proxy-node.ts';
import type { EgressListener } from '../push/outbound-scope.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import type { AccessLogFields } from './access-logs.ts';
import type { ListenerTelemetry } from './listener-telemetry.ts';
import type { NodeExtensions } from './traffic-extensions.ts';

/** Whose listeners are made, and what all of them have in common. */
export interface Outbound {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly telemetry: ListenerTelemetry;
  readonly extensions: NodeExtensions;
  /** Of connections that no listener takes. */
  readonly unrouted: readonly AccessLogFields[];
  /** Names whoever may have the same listeners. */
  readonly key: string;
}

/** A port of a service for which a listener is made. */
export interface PortInput {
  readonly side: Outbound;
  readonly egress: EgressListener;
  /** Which of the scope's listeners that is. */
  readonly at: number;
  readonly service: MeshService;
  readonly port: MeshServicePort;
}
