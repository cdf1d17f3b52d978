import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';

/** A CA of a test and what it issues, PEM. */
export interface TestAuthority {
  readonly root: string;
  issue(names: { readonly dns?: readonly string[]; readonly uris?: readonly string[] }): {
    readonly certificate: string;
    readonly key: string;
  };
}

const HOUR_MS = 3_600_000;

export function testAuthority(organization = 'test'): TestAuthority {
  const notBeforeMs = Date.now() - HOUR_MS;
  const notAfterMs = Date.now() + HOUR_MS;
  const { certificatePem: root, keyPair } = createSelfSignedRoot({ organization, notBeforeMs, notAfterMs });
  return {
    root,
    issue: (names) => {
      const { publicKey, privateKey } = createKeyPair();
      const certificate = issueCertificate(
        { certificatePem: root, privateKey: keyPair.privateKey },
        { publicKey, names, organization: 'leaf', notBeforeMs, notAfterMs },
      );
      return { certificate, key: privateKeyPem(privateKey) };
    },
  };
}

/** A Secret document as JSON, which is YAML. */
export function secretYaml(name: string, namespace: string, stringData: Readonly<Record<string, string>>): string {
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData })}\n`;
}
