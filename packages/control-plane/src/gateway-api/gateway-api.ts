import type { GatewaySpec, MeshObject } from '@ripstop/istio-api';
import type { VirtualService } from '../push/virtual-services.ts';
import { backendTlsPolicies, type PolicyRule } from './backend-tls-policy.ts';
import { Backends } from './backends.ts';
import { Certificates } from './certificates.ts';
import type { ObjectStatus } from './conditions.ts';
import { gatewayStatus, type ServicePorts } from './gateway-status.ts';
import { GATEWAY_API } from './gateway-types.ts';
import { evaluateGateways, istioGateways } from './gateways.ts';
import { ReferenceGrants } from './reference-grants.ts';
import { RouteBinder } from './route-binding.ts';
import { translateRoutes } from './routes.ts';
import { translateStreamRoutes } from './stream-routes.ts';

export interface GatewayApiInput {
  /** Every document, in any order. */
  readonly objects: readonly MeshObject[];
  /** DNS domain of the cluster. */
  readonly domain: string;
}

/** What istiod makes of the documents of the Gateway API. */
export interface GatewayApi {
  readonly gateways: readonly MeshObject<GatewaySpec>[];
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly PolicyRule[];
  /** What it would write into the documents' status. */
  readonly statuses: (services: ServicePorts) => readonly ObjectStatus[];
}

const NOTHING: GatewayApi = { gateways: [], virtualServices: [], destinationRules: [], statuses: () => [] };

/** What was made of documents last: a change of endpoints, or the findings about them, need not make it again. */
const made = new WeakMap<readonly MeshObject[], { readonly domain: string; readonly api: GatewayApi }>();

/** The Gateway API (v1) as Istio's own objects, which carry the positions of the documents that they come from. */
export function translateGatewayApi({ objects, domain }: GatewayApiInput): GatewayApi {
  const known = made.get(objects);
  if (known?.domain === domain) return known.api;
  const api = objects.some(({ apiVersion }) => apiVersion.startsWith(`${GATEWAY_API}/`)) ? translated(objects, domain) : NOTHING;
  made.set(objects, { domain, api });
  return api;
}

function translated(objects: readonly MeshObject[], domain: string): GatewayApi {
  const ordered = [...objects].sort(byAge);
  const certificates = new Certificates(ordered);
  const grants = new ReferenceGrants(ordered);
  const gateways = evaluateGateways(ordered, { certificates, grants, domain });
  const backends = new Backends(ordered, grants, domain);
  const binder = new RouteBinder({ objects: ordered, gateways, backends, domain });
  const routes = translateRoutes({ objects: ordered, binder, backends });
  const streams = translateStreamRoutes(ordered, binder, backends);
  const policies = backendTlsPolicies(ordered, certificates, domain);
  return {
    gateways: istioGateways(gateways),
    virtualServices: [...routes.virtualServices, ...streams.virtualServices],
    destinationRules: policies.destinationRules,
    statuses: (services) => [
      ...gateways.map((gateway) => gatewayStatus(gateway, binder.attached, services)),
      ...routes.statuses,
      ...streams.statuses,
      ...policies.statuses,
    ],
  };
}

/** Istio's order of these objects: oldest first, then namespace, then name. */
function byAge({ metadata: a }: MeshObject, { metadata: b }: MeshObject): number {
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp - b.creationTimestamp;
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
