/**
 * Istio YAML → xDS, and its server: sources, the push context, translation, ADS, registry, CA, pages for people. It never reaches
 * `core` or `compile`: the halves meet as xDS bytes only, here or in the service's own process (`createEmbeddedSource`).
 */

export { type WireResource, wireResourcesOf } from './ads/node-wire.ts';
export type { TokenAttestor } from './ca/attest/attestation.ts';
export { KubernetesAttestor, type KubernetesAttestorOptions } from './ca/attest/kubernetes-attestor.ts';
export { OidcAttestor, type OidcAttestorOptions } from './ca/attest/oidc-attestor.ts';
export type { CaMaterial } from './ca/ca-material.ts';
export {
  type CertificateAuthority,
  type CertificateSigner,
  createCertificateAuthority,
  type IssuedCertificate,
} from './ca/certificate-authority.ts';
export { RootFiles, type RootFilesOptions, type RotationStep } from './ca/root-files.ts';
export { createTokenIssuer, type TokenIssuer, type WorkloadAccount } from './ca/token-issuer.ts';
export { describeServiceNamed, describeWorkloadNamed } from './describe/describe.ts';
export type { DescribedSecret } from './describe/describe-secrets.ts';
export type { DescribedWorkload, ServiceDescription, WorkloadDescription } from './describe/description.ts';
export { templateWorkloads } from './describe/told-workloads.ts';
export type { ControlPlaneEvent } from './events.ts';
export { type GatewayApi, translateGatewayApi } from './gateway-api/gateway-api.ts';
export type { GraphEdge, ServiceGraph } from './graph/service-graph.ts';
export { absentNode, type KnownWorkloads } from './model/absent-node.ts';
export { type NamedNode, parseNodes } from './model/named-node.ts';
export type { Dialect, ProxyNode } from './model/proxy-node.ts';
export { type NodeMessage, proxyNodeOf } from './model/proxy-node-of.ts';
export type { WorkloadInstance, WorkloadPort } from './model/workload.ts';
export { PushContext, type PushInput } from './push/push-context.ts';
export { ControlPlane, createControlPlane, rootCertificateFile } from './server/control-plane.ts';
export type { ControlPlaneAddresses, ControlPlaneOptions } from './server/control-plane-options.ts';
export {
  createEmbeddedSource,
  type EmbeddedRejection,
  type EmbeddedSource,
  type EmbeddedSourceOptions,
  type EmbeddedSubscription,
  type EmbeddedUpdate,
} from './server/embedded-source.ts';
export { eventLoopFirst, type ProcessControls } from './server/event-loop-first.ts';
export type { Explainer, ExplainQuestion } from './server/explain-endpoint.ts';
export type { LiveInstance, LiveService, LiveState, SyncRow } from './server/live-state.ts';
export { readFolder, type SourceFile } from './source/folder.ts';
export { MemorySource } from './source/memory-source.ts';
export { ObjectStore, type StoreState } from './source/object-store.ts';
export type { GrpcNote } from './translate/grpc/notes.ts';
export { grpcNotesOfNode, type NodeResources, resourcesOfNode } from './translate/node-resources.ts';
export type { XdsResource } from './translate/resource.ts';
export { loadResourceWriter } from './translate/resource-json.ts';
export { NAMED_TYPES, PUSH_ORDER, translate } from './translate/translate.ts';
