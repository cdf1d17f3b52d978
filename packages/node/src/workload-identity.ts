import { createIdentity, Identity } from '@ripstop/identity';
import type { MeshEnvironment } from './environment.ts';
import { formatAddress, type Settings } from './settings.ts';

/** The identity of this process: of the environment's CA, of the one that is configured, or none. */
export function createWorkloadIdentity(
  settings: Settings,
  spiffeId: string,
  { clock, random, signCsr }: MeshEnvironment,
): Identity | undefined {
  if (signCsr !== undefined) {
    const { trustDomain, namespace, serviceAccount, certificateTtlSeconds: ttlSeconds, log } = settings;
    return new Identity(
      { trustDomain, namespace, serviceAccount, clock, random, ...(ttlSeconds === undefined ? {} : { ttlSeconds }), log },
      (csr, seconds) => signCsr(csr, spiffeId, seconds),
    );
  }
  if (settings.ca === undefined || settings.token === undefined) return undefined;
  return createIdentity({
    caAddress: formatAddress(settings.ca),
    rootCertificatePem: settings.rootCertificatePem ?? '',
    token: settings.token,
    trustDomain: settings.trustDomain,
    namespace: settings.namespace,
    serviceAccount: settings.serviceAccount,
    clock,
    random,
    ...(settings.certificateTtlSeconds === undefined ? {} : { ttlSeconds: settings.certificateTtlSeconds }),
    log: settings.log,
  });
}
