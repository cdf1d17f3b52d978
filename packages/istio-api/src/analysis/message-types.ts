import type { Severity } from '../object.ts';
import type { MessageType } from './message-type.ts';
import { NOT_HERE } from './not-here.ts';

const found = (code: string, severity: Severity, name: string, when: string): MessageType => ({
  code,
  name,
  severity,
  when,
  applies: true,
});

/** What the analysis finds, with Istio's codes where it has one. docs/reference/analysis.md is printed from this. */
const FOUND: readonly MessageType[] = [
  found(
    'IST0002',
    'warning',
    'Deprecated',
    'fault.delay.percent, egressProxy of a Sidecar, a Lightstep provider of a Telemetry: each has a successor.',
  ),
  found(
    'IST0101',
    'error',
    'ReferencedResourceNotFound',
    'A host, port of a host, subset, gateway, Secret, namespace or selected workload is named and is not there, or is not visible from the namespace that names it.',
  ),
  found(
    'IST0107',
    'warning',
    'MisplacedAnnotation',
    'An annotation of Istio stands on a kind of object on which Istio does not look at it.',
  ),
  found('IST0108', 'warning', 'UnknownAnnotation', 'An annotation of istio.io that does not exist.'),
  found(
    'IST0109',
    'error',
    'ConflictingMeshGatewayVirtualServiceHosts',
    'Two VirtualServices for calls inside the mesh name one host where both are visible; the older is used.',
  ),
  found('IST0110', 'error', 'ConflictingSidecarWorkloadSelectors', 'Two Sidecars of a namespace select the same workload.'),
  found('IST0111', 'error', 'MultipleSidecarsWithoutWorkloadSelectors', 'Two Sidecars of a namespace have no selector.'),
  found(
    'IST0112',
    'error',
    'VirtualServiceDestinationPortSelectorRequired',
    'A route leads to a host with several ports and does not say which.',
  ),
  found(
    'IST0116',
    'warning',
    'DeploymentAssociatedToMultipleServices',
    'Services of one Deployment have one port number and different transport protocols.',
  ),
  found(
    'IST0118',
    'info',
    'PortNameIsNotUnderNamingConvention',
    'The name of a Service port does not begin with a protocol, and there is no appProtocol.',
  ),
  found('IST0125', 'warning', 'InvalidAnnotation', 'The value of an annotation that this mesh reads is not one that it can have.'),
  found(
    'IST0127',
    'warning',
    'NoMatchingWorkloadsFound',
    'A policy selects no workload. Said when the documents tell of workloads at all; also of PeerAuthentication and RequestAuthentication.',
  ),
  found(
    'IST0128',
    'warning',
    'NoServerCertificateVerificationDestinationLevel',
    "tls SIMPLE or MUTUAL without caCertificates. Istio's Envoy then verifies nothing; here the roots of the system decide.",
  ),
  found('IST0129', 'warning', 'NoServerCertificateVerificationPortLevel', 'As IST0128, in the settings of a port.'),
  found(
    'IST0130',
    'warning',
    'VirtualServiceUnreachableRule',
    'A route stands behind one that takes every request, or all its matches are taken by earlier routes.',
  ),
  found('IST0131', 'info', 'VirtualServiceIneffectiveMatch', 'A match is the same as, or lies within, a match of an earlier route.'),
  found('IST0132', 'warning', 'VirtualServiceHostNotFoundInGateway', 'No host of a VirtualService is served by the Gateway that it names.'),
  found(
    'IST0134',
    'warning',
    'ServiceEntryAddressesRequired',
    'A TCP port of a ServiceEntry without addresses: its connections cannot be told from others.',
  ),
  found('IST0135', 'info', 'DeprecatedAnnotation', 'An annotation that Istio has given up.'),
  found('IST0137', 'warning', 'DeploymentConflictingPorts', 'Services of one Deployment give one targetPort different port numbers.'),
  found('IST0138', 'warning', 'GatewayDuplicateCertificate', 'Two Gateways of one workload show the same certificate.'),
  found(
    'IST0140',
    'warning',
    'IngressRouteRulesNotAffected',
    'A VirtualService at a gateway leads to a host without a subset, and subsets are chosen in another VirtualService, which gateways do not ask.',
  ),
  found(
    'IST0145',
    'error',
    'ConflictingGateways',
    'Two Gateways with one selector have a port and a host in common, or do not agree on whether the port is TLS.',
  ),
  found(
    'IST0149',
    'error',
    'JwtClaimBasedRoutingWithoutRequestAuthN',
    'A route matches on a claim, and no RequestAuthentication holds at the gateway.',
  ),
  found(
    'IST0150',
    'warning',
    'ExternalNameServiceTypeInvalidPortName',
    'A port of an ExternalName Service is named tcp, or not by a protocol.',
  ),
  found('IST0151', 'warning', 'EnvoyFilterUsesRelativeOperation', 'An EnvoyFilter patches beside something and has no priority.'),
  found(
    'IST0152',
    'error',
    'EnvoyFilterUsesReplaceOperationIncorrectly',
    'REPLACE for something else than HTTP_FILTER, NETWORK_FILTER or VIRTUAL_HOST.',
  ),
  found('IST0153', 'error', 'EnvoyFilterUsesAddOperationIncorrectly', 'ADD for ROUTE_CONFIGURATION or HTTP_ROUTE.'),
  found('IST0154', 'error', 'EnvoyFilterUsesRemoveOperationIncorrectly', 'REMOVE for ROUTE_CONFIGURATION or HTTP_ROUTE.'),
  found(
    'IST0155',
    'warning',
    'EnvoyFilterUsesRelativeOperationWithProxyVersion',
    'As IST0151, for a filter that another patch names with a proxyVersion.',
  ),
  found('IST0157', 'warning', 'InvalidTelemetryProvider', 'Access logging without a provider, and MeshConfig has no default one.'),
  found('IST0159', 'error', 'ConflictingTelemetryWorkloadSelectors', 'Two Telemetries of a namespace select the same workload.'),
  found('IST0160', 'error', 'MultipleTelemetriesWithoutWorkloadSelectors', 'Two Telemetries of a namespace have no selector.'),
  found('IST0161', 'error', 'InvalidGatewayCredential', 'A Secret that a Gateway names holds no certificate and key that belong together.'),
  found(
    'IST0162',
    'warning',
    'GatewayPortNotDefinedOnService',
    'A Gateway opens a port that no Service of its workload has. Said when the documents tell of that workload.',
  ),
  found(
    'IST0165',
    'warning',
    'ReferencedInternalGateway',
    'A VirtualService names a Gateway that is made of a Gateway of the Gateway API.',
  ),
  found(
    'IST0166',
    'warning',
    'IneffectiveSelector',
    'A policy selects the workload of a Gateway of the Gateway API by labels: use targetRefs.',
  ),
  found(
    'IST0173',
    'error',
    'DestinationRuleSubsetNotSelectPods',
    'A subset selects no workload of its host. Said when the documents tell of workloads at all.',
  ),
  found('IST0174', 'warning', 'UnknownDestinationRuleHost', 'The host of a DestinationRule is not there.'),
  found('IST0177', 'warning', 'ConflictingServiceEntryProtocol', 'ServiceEntries give one host and port different protocols.'),
  found(
    'RIPSTOP_DENY_OVER_ALLOW',
    'warning',
    '',
    'A DENY makes an ALLOW void: it denies everything to the same workloads, or has the very rule that is allowed.',
  ),
  found(
    'RIPSTOP_UNENFORCEABLE',
    'error',
    '',
    'A CUSTOM policy names an external authorizer that cannot be asked: what it selects is denied. Define it in extensionProviders of the MeshConfig.',
  ),
  found('RIPSTOP_DUPLICATE_SUBSET', 'error', '', 'A DestinationRule has one subset twice.'),
  found(
    'RIPSTOP_NO_REQUEST_AUTHENTICATION',
    'warning',
    '',
    'A rule asks who a token belongs to, and no RequestAuthentication verifies tokens there: an ALLOW never holds.',
  ),
  found(
    'RIPSTOP_NO_PEER_IDENTITY',
    'warning',
    '',
    'A rule asks for the identity of the caller where PeerAuthentication switches mTLS off: nobody has one.',
  ),
];

/** Every message type of Istio, and our own, by code. */
export const MESSAGE_TYPES: readonly MessageType[] = [...FOUND, ...NOT_HERE].sort((a, b) => (a.code < b.code ? -1 : 1));

const BY_CODE = new Map(FOUND.map((type) => [type.code, type]));

/** Throws for a code that is not in the catalogue. */
export function severityOf(code: string): Severity {
  const type = BY_CODE.get(code);
  if (type === undefined) throw new Error(`${code} is not in the catalogue of messages`);
  return type.severity;
}
