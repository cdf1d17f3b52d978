import { CA_SUFFIX, type ServerTLSSettings } from '@ripstop/istio-api';
import { credentialResource } from './credential-name.ts';

/** SDS names of the certificates that a server shows, `builtin://` for the one that the mesh has issued; none: they are in files. */
export function shownCredentials({ credentialName = '', credentialNames = [] }: ServerTLSSettings): string[] {
  return (credentialName === '' ? credentialNames : [credentialName]).map(credentialResource);
}

/**
 * SDS name of the roots by which a server knows its callers (Istio: ApplyCredentialSDSToServerCommonTLSContext); undefined: they are in a
 * file. A name that stands for a certificate here cannot stand for roots as well.
 */
export function callersCredential(tls: ServerTLSSettings): string | undefined {
  const { caCertCredentialName = '' } = tls;
  const shown = shownCredentials(tls);
  const named = caCertCredentialName === '' ? shown[0] : credentialResource(caCertCredentialName);
  return named !== undefined && shown.includes(named) ? `${named}${CA_SUFFIX}` : named;
}
