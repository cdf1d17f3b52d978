import {
  checkKubernetesGateway,
  checkKubernetesRoute,
  checkStreamParents,
  type KubernetesGateway,
  type KubernetesRoute,
} from './gateway-api-checks.ts';
import type { MeshObject } from './object.ts';
import { checkGateway, checkMeshConfigSupport, checkService, checkServiceEntrySupport, checkStreamRoutes } from './support-checks.ts';
import type { MeshConfigSpec, ServiceSpec } from './types/core.ts';
import type { DestinationRuleSpec, GatewaySpec, ServiceEntrySpec, VirtualServiceSpec, WorkloadEntrySpec } from './types/networking.ts';
import type { AuthorizationPolicySpec, RequestAuthenticationSpec } from './types/security.ts';
import type { TelemetrySpec } from './types/telemetry.ts';
import type { Report } from './validate.ts';
import { checkAuthorizationPolicy } from './validation/authorization-policy.ts';
import { checkDestinationRule } from './validation/destination-rule.ts';
import { checkEnvoyFilter, type EnvoyFilterFields } from './validation/envoy-filter.ts';
import { checkGatewayServers } from './validation/gateway.ts';
import { checkMeshConfigValues, type MeshConfigFields } from './validation/mesh-config.ts';
import { checkMetadata } from './validation/metadata.ts';
import { checkExtensionTargets, type Targeted } from './validation/policy-targets.ts';
import { checkProxyConfigAnnotation } from './validation/proxy-config-annotation.ts';
import { checkRequestAuthentication } from './validation/request-authentication.ts';
import { checkServiceEntry, checkWorkloadEntry } from './validation/service-entry.ts';
import { checkSidecar, type SidecarFields } from './validation/sidecar.ts';
import { checkTelemetry } from './validation/telemetry.ts';
import { checkVirtualService } from './validation/virtual-service.ts';
import { checkWorkloadGroup } from './validation/workload-group.ts';

/** Rules that a field by itself cannot show; run when the structure is right. */
export function semanticChecks(object: MeshObject, report: Report): void {
  checkMetadata(object, report);
  checkProxyConfigAnnotation(object.metadata.annotations, ['metadata', 'annotations'], report);
  switch (object.kind) {
    case 'VirtualService':
      checkVirtualService(object.spec as VirtualServiceSpec, object.metadata, report);
      checkStreamRoutes(object.spec as VirtualServiceSpec, report);
      return;
    case 'DestinationRule':
      checkDestinationRule(object.spec as DestinationRuleSpec, object.metadata, report);
      return;
    case 'Gateway':
      if (object.apiVersion.startsWith('networking.istio.io/')) {
        checkGatewayServers(object.spec as GatewaySpec, object.metadata, report);
        checkGateway(object.spec as GatewaySpec, report);
      } else checkKubernetesGateway(object.spec as KubernetesGateway, report);
      return;
    case 'TLSRoute':
    case 'TCPRoute':
      checkStreamParents(object.spec as KubernetesRoute, report);
      checkKubernetesRoute(object.spec as KubernetesRoute, report);
      return;
    case 'HTTPRoute':
    case 'GRPCRoute':
      checkKubernetesRoute(object.spec as KubernetesRoute, report);
      return;
    case 'MeshConfig':
      checkMeshConfigSupport(object.spec as MeshConfigSpec, report);
      checkMeshConfigValues(object.spec as MeshConfigFields, report);
      return;
    case 'Service':
      checkService(object.spec as ServiceSpec, report);
      return;
    case 'WorkloadEntry':
      checkWorkloadEntry(object.spec as WorkloadEntrySpec, ['spec'], report);
      return;
    case 'WorkloadGroup':
      checkWorkloadGroup(object.spec as object, report);
      return;
    case 'ServiceEntry':
      checkServiceEntrySupport(object.spec as ServiceEntrySpec, report);
      checkServiceEntry(object.spec as ServiceEntrySpec, object.metadata, report);
      return;
    case 'RequestAuthentication':
      checkRequestAuthentication(object.spec as RequestAuthenticationSpec, report);
      return;
    case 'Sidecar':
      checkSidecar(object.spec as SidecarFields, report);
      return;
    case 'EnvoyFilter':
      checkEnvoyFilter(object.spec as EnvoyFilterFields, report);
      return;
    case 'WasmPlugin':
    case 'TrafficExtension':
      checkExtensionTargets(object.spec as Targeted, report);
      return;
    case 'Telemetry':
      checkTelemetry(object.spec as TelemetrySpec, report);
      return;
    case 'AuthorizationPolicy':
      checkAuthorizationPolicy(object.spec as AuthorizationPolicySpec, object.metadata, report);
  }
}
