import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';

/** A certificate with its key, PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };

/** Somebody outside of the mesh who issues certificates. */
export class Authority {
  private readonly root = createSelfSignedRoot({ organization: 'outside', ...validity });
  readonly pem: string = this.root.certificatePem;

  issue(names: { readonly dns?: readonly string[]; readonly uris?: readonly string[] }): Pair {
    const { publicKey, privateKey } = createKeyPair();
    const issuer = { certificatePem: this.pem, privateKey: this.root.keyPair.privateKey };
    return { cert: issueCertificate(issuer, { publicKey, names, organization: 'leaf', ...validity }), key: privateKeyPem(privateKey) };
  }

  /** The same by a CA in between, whose certificate is sent along. */
  issueBetween(names: { readonly uris?: readonly string[] }): Pair {
    const [between, { publicKey, privateKey }] = [createKeyPair(), createKeyPair()];
    const root = { certificatePem: this.pem, privateKey: this.root.keyPair.privateKey };
    const ca = { publicKey: between.publicKey, names: {}, isCa: true, organization: 'between', ...validity };
    const certificatePem = issueCertificate(root, ca);
    const issuer = { certificatePem, privateKey: between.privateKey };
    const cert = issueCertificate(issuer, { publicKey, names, organization: 'leaf', ...validity });
    return { cert: cert + certificatePem, key: privateKeyPem(privateKey) };
  }
}

/** A Secret document. */
export function secret(name: string, data: Readonly<Record<string, string>>): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, stringData: data })}\n`;
}
