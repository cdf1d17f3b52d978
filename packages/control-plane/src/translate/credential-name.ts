/** What an SDS name of ours refers to. */
export interface Credential {
  /** `kubernetes`: the node's own namespace only. `kubernetes-gateway`: where a Gateway of the Gateway API may look. `configmap`: public roots. */
  readonly scheme: 'kubernetes' | 'kubernetes-gateway' | 'configmap';
  /** '' = the node's. */
  readonly namespace: string;
  readonly name: string;
}

/** The SDS name of a credentialName: `shop-cert` becomes `kubernetes://shop-cert` (Istio: ToResourceName). */
export function credentialResource(name: string): string {
  return name.includes('://') ? name : `kubernetes://${name}`;
}

/** Undefined: a name that only the node itself can serve, or none of ours. */
export function parseCredential(resource: string): Credential | undefined {
  const parts = /^(kubernetes|kubernetes-gateway|configmap):\/\/(?:([^/]+)\/)?([^/]+)$/.exec(resource);
  if (parts === null) return undefined;
  return { scheme: parts[1] as Credential['scheme'], namespace: parts[2] ?? '', name: parts[3]! };
}
