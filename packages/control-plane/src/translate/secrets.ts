import { CA_SUFFIX, type MeshObject, readKeyPair, readTrust, SecretError, type ServerTLSSettings } from '@ripstop/istio-api';
import { SECRET_TYPE_URL, Secret } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { type Credential, parseCredential } from './credential-name.ts';
import { type GatewayPortServer, gatewayPorts } from './gateway-servers.ts';
import { secretsOf } from './origination.ts';
import type { XdsResource } from './resource.ts';
import { callersCredential, shownCredentials } from './server-credentials.ts';
import type { FieldsOf } from './values.ts';

/** Istio's SDS name of the mesh's roots. */
const ROOT_CA = 'ROOTCA';

type SecretFields = NonNullable<FieldsOf<typeof Secret>['type']>;

/**
 * SDS of the named certificates (istiod: SecretGen). A node gets them only if its identity is verified, and only those of its own
 * namespace that are for it; `kubernetes-gateway://` also from where its Gateways were granted a reference. What it may not have, what does not exist
 * and what cannot be read is left out alike: the answer must not tell what is there. Findings name it (istio-api: analysis).
 */
export function buildSecrets(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  if (!node.verified) return [];
  return names.flatMap((name) => {
    if (name === ROOT_CA) return push.trustBundlePem === '' ? [] : [secretOf(name, trustIn(push.trustBundlePem))];
    const credential = parseCredential(name);
    if (credential === undefined || !mayHave(node, push, name, credential)) return [];
    const type = contentOf(name, credential, node, push);
    return type === undefined ? [] : [secretOf(name, type)];
  });
}

function secretOf(name: string, type: SecretFields): XdsResource {
  return { typeUrl: SECRET_TYPE_URL, name, message: Secret.fromPartial({ name, type }) };
}

/** The roots that workloads believe now. istiod's agent serves it to its Envoy; here it reaches workloads the moment it changes. */
function trustIn(pem: string): SecretFields {
  return { $case: 'validationContext', value: { trustedCa: inline(pem) } };
}

function mayHave(node: ProxyNode, push: PushContext, resource: string, { scheme, namespace }: Credential): boolean {
  if (scheme === 'kubernetes') return (namespace === '' || namespace === node.namespace) && isFor(node, push, resource);
  // Roots of a BackendTLSPolicy are for everybody who calls the backend.
  if (scheme === 'configmap' && push.backendBundles.has(resource)) return true;
  if (scheme === 'configmap' && callersBundles(node, push).has(resource)) return true;
  // Which references are allowed was judged when the Gateway was read: its servers name no others.
  return referenced(node, push).has(resource);
}

/** A gateway takes any Secret of its namespace, as its Gateways may name any; a workload those of the DestinationRules that select it. */
function isFor(node: ProxyNode, { destinationRules }: PushContext, resource: string): boolean {
  return node.dialect === 'router' || secretsOf(destinationRules.selecting(node.namespace, node.labels)).includes(resource);
}

/** SDS names that the Gateways of a node may use: only the Gateway API's were judged, an Istio Gateway may write any name. */
function referenced(node: ProxyNode, push: PushContext): ReadonlySet<string> {
  const judged = terminating(node, push).filter(({ gateway }) => push.gatewayApiGateways.has(gateway));
  return new Set(judged.flatMap(({ tls }) => [...shownCredentials(tls), callersCredential(tls) ?? '']));
}

/** SDS names by which a node's servers know their callers, and under which none shows a certificate. They go by any name. */
function callersBundles(node: ProxyNode, push: PushContext): ReadonlySet<string> {
  const servers = terminating(node, push).map(({ tls }) => tls);
  const shown = new Set(servers.flatMap(shownCredentials));
  return new Set(servers.flatMap((tls) => callersCredential(tls) ?? []).filter((name) => !shown.has(name)));
}

function terminating(
  node: ProxyNode,
  push: PushContext,
): { readonly gateway: GatewayPortServer['gateway']; readonly tls: ServerTLSSettings }[] {
  return gatewayPorts(node, push).ports.flatMap(({ servers }) =>
    servers.flatMap(({ gateway, terminates }) => (terminates === undefined ? [] : { gateway, tls: terminates })),
  );
}

function contentOf(
  resource: string,
  { scheme, namespace, name }: Credential,
  node: ProxyNode,
  push: PushContext,
): SecretFields | undefined {
  const where = namespace === '' ? node.namespace : namespace;
  const find = (wanted: string): MeshObject | undefined =>
    push.certificates.get(`${scheme === 'configmap' ? 'ConfigMap' : 'Secret'} ${where}/${wanted}`);
  const suffixed = name.endsWith(CA_SUFFIX);
  // istiod tells a bundle by its name alone, and looks for a key in one that a server names otherwise.
  const isBundle = suffixed || scheme === 'configmap' || callersBundles(node, push).has(resource);
  // A bundle of its own comes before the one beside the certificate.
  const object = find(name) ?? (isBundle ? find(suffixed ? name.slice(0, -CA_SUFFIX.length) : `${name}${CA_SUFFIX}`) : undefined);
  if (object === undefined) return undefined;
  try {
    return isBundle ? bundle(object) : certificate(object);
  } catch (error) {
    if (error instanceof SecretError) return undefined;
    throw error;
  }
}

function certificate(object: MeshObject): SecretFields {
  const { certificateChain, privateKey } = readKeyPair(object);
  return { $case: 'tlsCertificate', value: { certificateChain: inline(certificateChain), privateKey: inline(privateKey) } };
}

function bundle(object: MeshObject): SecretFields {
  const { roots, revoked } = readTrust(object);
  return {
    $case: 'validationContext',
    value: { trustedCa: inline(roots), ...(revoked === '' ? {} : { crl: inline(revoked) }) },
  };
}

function inline(text: string): { specifier: { $case: 'inlineBytes'; value: Uint8Array<ArrayBuffer> } } {
  return { specifier: { $case: 'inlineBytes', value: new Uint8Array(Buffer.from(text)) } };
}
