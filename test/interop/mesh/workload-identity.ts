import type { Clock } from '@ripstop/core';
import { type CreateIdentityOptions, createIdentity, type Identity } from '@ripstop/identity';
import type { TestMesh } from './test-mesh.ts';

/** The certificate of a service account, from the mesh's CA, as an agent beside an Envoy gets it. */
export async function workloadIdentity({ controlPlane }: TestMesh, serviceAccount: string, namespace = 'default'): Promise<Identity> {
  const identity = identityFrom({
    caAddress: controlPlane.addresses.xdsTls,
    rootCertificatePem: controlPlane.ca.rootCertificatePem,
    trustDomain: controlPlane.ca.trustDomain,
    token: () => controlPlane.tokens.issue({ namespace, serviceAccount, ttlSeconds: 3600 }),
    namespace,
    serviceAccount,
  });
  await identity.ready();
  return identity;
}

/** A certificate of any CA, rotated by the clock of this machine. */
export function identityFrom(options: Omit<CreateIdentityOptions, 'clock' | 'random'>): Identity {
  return createIdentity({ ...options, clock: realClock, random: Math.random });
}

const realClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(run, delayMs) {
    const timer = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
