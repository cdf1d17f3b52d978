import type { Severity } from '../object.ts';
import type { MessageType } from './message-type.ts';

const INJECTION = 'no sidecar is injected: a process joins the mesh with the SDK';
const CLUSTER = 'it is about the installation of Istio in a cluster';

const not = (code: string, severity: Severity, name: string, when: string): MessageType => ({
  code,
  severity,
  name,
  when,
  applies: false,
});

/** Messages of Istio that are never made here, and why. */
export const NOT_HERE: readonly MessageType[] = [
  not('IST0001', 'error', 'InternalError', 'a mistake of the analysis itself ends the command with exit code 1'),
  not('IST0102', 'info', 'NamespaceNotInjected', INJECTION),
  not('IST0103', 'warning', 'PodMissingProxy', INJECTION),
  not(
    'IST0106',
    'error',
    'SchemaValidationError',
    'said with a code for each mistake (RIPSTOP_UNKNOWN_FIELD, RIPSTOP_BAD_VALUE, …): see the page of errors',
  ),
  not('IST0123', 'warning', 'NamespaceMultipleInjectionLabels', INJECTION),
  not('IST0126', 'error', 'UnknownMeshNetworksServiceRegistry', 'there is no MeshNetworks: every network is taken to be reachable'),
  not('IST0133', 'warning', 'SchemaWarning', 'said with a code for each case (RIPSTOP_UNSUPPORTED_FIELD, …): see the page of errors'),
  not('IST0136', 'info', 'AlphaAnnotation', "istioctl's default analyzers do not find it either"),
  not('IST0139', 'error', 'InvalidWebhook', CLUSTER),
  not('IST0141', 'error', 'InsufficientPermissions', CLUSTER),
  not('IST0142', 'error', 'UnsupportedKubernetesVersion', CLUSTER),
  not('IST0143', 'error', 'LocalhostListener', 'the mesh listens for the app; RIPSTOP_BIND says where'),
  not('IST0144', 'warning', 'InvalidApplicationUID', 'no user id is reserved: traffic is not captured'),
  not('IST0146', 'warning', 'ImageAutoWithoutInjectionWarning', INJECTION),
  not('IST0147', 'error', 'ImageAutoWithoutInjectionError', INJECTION),
  not('IST0148', 'info', 'NamespaceInjectionEnabledByDefault', INJECTION),
  not('IST0156', 'error', 'UnsupportedGatewayAPIVersion', 'no CRD is installed: a version that is not read is RIPSTOP_UNKNOWN_VERSION'),
  not('IST0158', 'warning', 'PodsIstioProxyImageMismatchInNamespace', INJECTION),
  not('IST0163', 'warning', 'InvalidExternalControlPlaneConfig', CLUSTER),
  not('IST0164', 'info', 'ExternalControlPlaneAddressIsNotAHostname', CLUSTER),
  not('IST0167', 'warning', 'IneffectivePolicy', 'there is no ambient mode'),
  not('IST0168', 'warning', 'UnknownUpgradeCompatibility', CLUSTER),
  not('IST0169', 'warning', 'UpdateIncompatibility', CLUSTER),
  not('IST0170', 'warning', 'MultiClusterInconsistentService', 'there is one cluster'),
  not(
    'IST0171',
    'warning',
    'NegativeConditionStatus',
    'conditions are made by the control plane, not read from documents: those of the Gateway API that are not True are RIPSTOP_GATEWAY_STATUS',
  ),
  not('IST0172', 'warning', 'FutureUnsupportedGatewayAPIVersion', 'no CRD is installed'),
  not('IST0175', 'warning', 'JwksUriFetchUnrestricted', 'link-local addresses are never fetched, and there is no istiod Deployment'),
  not('IST0176', 'warning', 'GatewayAPICRDVersionBelowMinimum', 'no CRD is installed'),
];
