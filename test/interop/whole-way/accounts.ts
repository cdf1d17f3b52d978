import type { RecordedNode } from '../istiod/istiod-process.ts';
import type { Document } from '../istiod/mesh/document.ts';

/** Of addresses that no document names. */
export const STRANGER = 'spiffe://cluster.local/ns/nobody/sa/nobody';

export function spiffeIdOf({ Metadata }: RecordedNode, trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/${Metadata.NAMESPACE}/sa/${Metadata.SERVICE_ACCOUNT}`;
}

/** Whose certificate each address shows. */
export function accountsOf(documents: readonly Document[], trustDomain: string): Map<string, string> {
  const accounts = new Map<string, string>();
  const add = (address: string | undefined, namespace: string | undefined, account: string | undefined): void => {
    if (address !== undefined && account !== undefined) accounts.set(address, `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`);
  };
  for (const { kind, metadata, spec, status } of documents as readonly LooseDocument[]) {
    if (kind === 'Pod') add(status?.podIP, metadata.namespace, spec?.serviceAccountName);
    if (kind === 'WorkloadEntry') add(spec?.address, metadata.namespace, spec?.serviceAccount ?? 'default');
    if (kind === 'ServiceEntry')
      for (const { address, serviceAccount } of spec?.endpoints ?? []) add(address, metadata.namespace, serviceAccount ?? 'default');
  }
  return accounts;
}

interface Machine {
  readonly address?: string;
  readonly serviceAccount?: string;
}

interface LooseDocument {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string };
  readonly spec?: Machine & { readonly serviceAccountName?: string; readonly endpoints?: readonly Machine[] };
  readonly status?: { readonly podIP?: string };
}
