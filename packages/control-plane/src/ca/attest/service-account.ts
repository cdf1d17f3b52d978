import type { WorkloadAccount } from '../token-issuer.ts';

/** `system:serviceaccount:<namespace>:<name>`, as Kubernetes and Istio write a workload's account; undefined for anybody else. */
export function parseServiceAccount(subject: unknown): WorkloadAccount | undefined {
  const match = typeof subject === 'string' ? /^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$/.exec(subject) : null;
  return match === null ? undefined : { namespace: match[1]!, serviceAccount: match[2]! };
}
