import { CA_SUFFIX, type ClientTLSSettings, readTrust, SecretError } from '@ripstop/istio-api';
import { NO_TRUST } from '../gateway-api/backend-tls-policy.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { parseCredential } from './credential-name.ts';

/** Whom a client trusts by a BackendTLSPolicy: a bundle by its SDS name, or the certificates themselves. */
export type BackendTrust =
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'inline'; readonly roots: string; readonly hostname: string };

/**
 * An Envoy gets istiod's SDS name. Our own clients get the CA certificates, which are public, with the cluster; and the name that the
 * policy demands of the certificate, which the Gateway API requires and istiod leaves out. A bundle that cannot be read is
 * `invalid://`: nobody is trusted. Undefined: the system's roots.
 */
export function backendTrust(
  { credentialName = '', sni = '' }: ClientTLSSettings,
  node: Pick<ProxyNode, 'ripstop'>,
  push: PushContext,
): BackendTrust | undefined {
  if (credentialName === '') return undefined;
  if (credentialName === NO_TRUST) return { kind: 'secret', name: NO_TRUST };
  if (!node.ripstop) return { kind: 'secret', name: `${credentialName}${CA_SUFFIX}` };
  const roots = rootsOf(credentialName, push);
  return roots === undefined ? { kind: 'secret', name: NO_TRUST } : { kind: 'inline', roots, hostname: sni };
}

function rootsOf(credentialName: string, push: PushContext): string | undefined {
  const credential = parseCredential(credentialName);
  const object = credential && push.certificates.get(`ConfigMap ${credential.namespace}/${credential.name}`);
  if (object === undefined) return undefined;
  try {
    return readTrust(object).roots;
  } catch (error) {
    if (error instanceof SecretError) return undefined;
    throw error;
  }
}
