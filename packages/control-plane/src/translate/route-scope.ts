import type { Route, RouteAction } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { FieldsOf } from './values.ts';

export type RouteFields = FieldsOf<typeof Route>;
export type ActionFields = FieldsOf<typeof RouteAction>;

/** What a VirtualService is translated for. */
export interface RouteScope {
  readonly node: ProxyNode;
  readonly push: PushContext;
  /** The port that clients call: listener port in a sidecar, server port on a gateway. */
  readonly listenPort: number;
  /** `mesh`, or the gateway's `namespace/name`. */
  readonly gateway: string;
  /** Of the VirtualService, once it is known. */
  readonly ruleNamespace?: string;
  /** The server ends TLS. */
  readonly tls?: boolean;
}
