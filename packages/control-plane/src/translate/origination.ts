import { CA_SUFFIX, type ClientTLSSettings } from '@ripstop/istio-api';
import type { TransportSocket } from '@ripstop/xds-api';
import { NO_TRUST } from '../gateway-api/backend-tls-policy.ts';
import type { Caller } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import { backendTrust } from './backend-trust.ts';
import { credentialResource } from './credential-name.ts';
import { type ClientProof, originationSocket, type ServerTrust } from './tls.ts';

/** A DestinationRule asks for TLS that is none of the mesh's. */
export function originates(tls: ClientTLSSettings | undefined): tls is ClientTLSSettings {
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL';
}

export interface Origination {
  readonly tls: ClientTLSSettings;
  readonly node: Caller;
  readonly push: PushContext;
  readonly rule: MergedDestinationRule | undefined;
  readonly subjectAltNames: readonly string[];
  readonly http2: boolean;
}

/**
 * A Secret is for gateways, and for the workloads that a rule selects: everybody else whom the rule is for would be given its key (Istio:
 * buildUpstreamClusterTLSContext). Certificates of CAs in a ConfigMap are for all.
 */
export function isWithheld(tls: ClientTLSSettings, { dialect }: Caller, rule: MergedDestinationRule | undefined): boolean {
  const isPrivate = secretName(tls) !== undefined || tls.credentialName === NO_TRUST;
  return isPrivate && dialect === 'sidecar' && rule?.workloadSelector === undefined;
}

/**
 * The socket of such calls. Undefined where a Secret is withheld: istiod lets an Envoy call in plaintext then. Our own clients are told of
 * a bundle that nobody has, so that the calls fail.
 */
export function originated({ tls, node, push, rule, subjectAltNames, http2 }: Origination): TransportSocket | undefined {
  const withheld = isWithheld(tls, node, rule);
  if (withheld && !node.ripstop) return undefined;
  return originationSocket({
    sni: tls.sni ?? '',
    subjectAltNames,
    proof: withheld ? undefined : proofOf(tls),
    trust: withheld ? { kind: 'secret', name: NO_TRUST } : trustOf(tls, node, push),
    defaults: push.mesh.tls.defaults,
    http2,
  });
}

/** The SDS name of a Secret that a rule names; undefined for files, and for what a BackendTLSPolicy or a ConfigMap gives. */
function secretName({ credentialName = '' }: ClientTLSSettings): string | undefined {
  if (credentialName === '' || credentialName === NO_TRUST || credentialName.startsWith('configmap://')) return undefined;
  return credentialResource(credentialName);
}

function proofOf(tls: ClientTLSSettings): ClientProof {
  if (tls.mode !== 'MUTUAL') return undefined;
  const secret = secretName(tls);
  return secret === undefined ? { certificate: tls.clientCertificate ?? '', key: tls.privateKey ?? '' } : { secret };
}

function trustOf(tls: ClientTLSSettings, node: Caller, push: PushContext): ServerTrust | undefined {
  if (tls.insecureSkipVerify === true) return undefined;
  const secret = secretName(tls);
  if (secret !== undefined) return { kind: 'secret', name: `${secret}${CA_SUFFIX}` };
  return backendTrust(tls, node, push) ?? { kind: 'files', ca: tls.caCertificates ?? '', crl: tls.caCrl ?? '' };
}

/** SDS names of the Secrets that rules may give a workload, in the form of a list. */
export function secretsOf(rules: readonly MergedDestinationRule[]): readonly string[] {
  const policies = rules.flatMap(({ trafficPolicy, subsets }) => [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)]);
  return policies
    .flatMap((policy) => [policy?.tls, ...(policy?.portLevelSettings ?? []).map(({ tls }) => tls)])
    .flatMap((tls) => {
      const name = tls === undefined ? undefined : secretName(tls);
      return name === undefined ? [] : [name, `${name}${CA_SUFFIX}`];
    });
}
