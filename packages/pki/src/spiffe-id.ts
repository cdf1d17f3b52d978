/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`, Istio's form. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** "@" in a trust domain becomes "." as in Istio. Throws on parts that could smuggle a path. */
export function formatSpiffeId({ trustDomain, namespace, serviceAccount }: SpiffeId): string {
  for (const [part, text] of Object.entries({ namespace, serviceAccount })) {
    if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text))
      throw new Error(`${part} ${JSON.stringify(text)} cannot stand in a SPIFFE id: letters, digits, ".", "_" and "-" only`);
  }
  return `spiffe://${trustDomain.replaceAll('@', '.')}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Undefined for anything else. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const match = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(uri);
  return match === null ? undefined : { trustDomain: match[1]!, namespace: match[2]!, serviceAccount: match[3]! };
}
